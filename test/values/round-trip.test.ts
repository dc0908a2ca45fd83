import fc from 'fast-check';
import { expect } from 'vitest';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { propertyRuns, test } from '../property.ts';
import { arbitraryJson, arbitraryValue, rebuilt, vectorTransformer } from './arbitrary-value.ts';
import { difference } from './strictly-equal.ts';

const registry = new SerializerRegistry();
registry.registerClass(vectorTransformer);

function loaded(value: unknown): unknown {
  const artifact = registry.serialize('a', value);
  return registry.deserialize('a', artifact, artifact.bytes.slice());
}

const anyValue = fc.oneof({ weight: 3, arbitrary: arbitraryValue }, { weight: 1, arbitrary: arbitraryJson });

test.prop([anyValue], { numRuns: propertyRuns })('what loads is what was saved', (value) => {
  expect(difference(value, loaded(value))).toBeUndefined();
});

test.prop([anyValue], { numRuns: propertyRuns })('equal values have equal bytes', (value) => {
  const twin = rebuilt(value);
  expect(difference(value, twin)).toBeUndefined();
  const { bytes, type, encoding } = registry.serialize('a', value);
  const again = registry.serialize('b', twin);
  expect(Buffer.from(again.bytes).equals(bytes)).toBe(true);
  expect([again.type, again.encoding]).toEqual([type, encoding]);
});

test.prop([anyValue], { numRuns: propertyRuns })(
  'what loads has the same bytes when it is saved again',
  (value) => {
    const { bytes } = registry.serialize('a', value);
    expect(Buffer.from(registry.serialize('a', loaded(value)).bytes).equals(bytes)).toBe(true);
  },
);

test.prop([anyValue], { numRuns: propertyRuns })(
  'json, where it is offered, carries the value exactly',
  (value) => {
    const { json } = registry.serialize('a', value);
    if (json === undefined) return;
    expect(difference(value, JSON.parse(JSON.stringify(json.value)))).toBeUndefined();
  },
);

test.prop([arbitraryJson], { numRuns: propertyRuns })(
  'json is offered wherever JSON carries the value',
  (value) => {
    const exact = difference(value, JSON.parse(JSON.stringify(value))) === undefined;
    const wellFormed = !JSON.stringify(value).match(/\\ud[89a-f]/);
    expect(registry.serialize('a', value).json !== undefined).toBe(exact && wellFormed);
  },
);

/** URLs as programs make them of others, with setters that take what no parser does. */
const changedUrl = fc
  .tuple(
    fc.constantFrom(
      'http://a/b?c#d',
      'data:x  ',
      'file:///C:/x',
      'web+demo:/.//n/',
      'mailto:a@b',
      'non://h/p',
    ),
    fc.array(
      fc.tuple(
        fc.constantFrom('username', 'password', 'host', 'port', 'pathname', 'search', 'protocol'),
        fc.oneof(fc.string(), fc.constantFrom('', '/.//x', '[::1]', '%', 'C|/', '\\', 'file:', '☃.net')),
      ),
      { maxLength: 3 },
    ),
  )
  .map(([text, changes]) => {
    const url = new URL(text);
    for (const [part, value] of changes) Reflect.set(url, part, value);
    return url;
  });

test.prop([changedUrl], { numRuns: 10 * propertyRuns })('a URL loads as it was, or is refused', (url) => {
  let bytes: Uint8Array;
  try {
    bytes = registry.serialize('a', url).bytes;
  } catch (error) {
    expect((error as Error).message).toContain('a URL whose text is no such URL');
    return;
  }
  expect(registry.deserialize('a', { encoding: 'msgpack', type: 'URL' }, bytes)).toMatchObject({
    href: url.href,
  });
});

test.prop([anyValue, anyValue], { numRuns: propertyRuns })(
  'saving changes nothing, and no other result',
  (value, other) => {
    const before = rebuilt(value);
    const { bytes } = registry.serialize('a', value);
    const copy = Uint8Array.from(bytes);
    registry.serialize('a', other);
    expect(difference(value, before)).toBeUndefined();
    expect(Buffer.from(bytes).equals(copy)).toBe(true);
  },
);
