import { constants } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { SerializerRegistry } from '../../src/values/registry.ts';

/** More UTF-8 than a string can have characters. */
const text = '€'.repeat(Math.ceil(constants.MAX_STRING_LENGTH / 3) + 1000);

describe('text of more than 512 MiB of UTF-8 comes back', () => {
  it.each<[string, unknown, (loaded: never) => unknown]>([
    ['in an object', { text }, ({ text }) => text],
    ['as the name of a property', { [text]: 1 }, (loaded) => Object.keys(loaded)[0]],
  ])('%s', (_, value, textOf) => {
    const registry = new SerializerRegistry();
    const { bytes, ...encoding } = registry.serialize('a', value);
    // Not toBe: a message that shows both would be longer than any string.
    expect(textOf(registry.deserialize('a', encoding, bytes) as never) === text).toBe(true);
  });
});
