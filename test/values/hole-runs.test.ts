import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { valueDigest } from '../../src/cache/key-encoding.ts';
import { KeySink, TAG, VALUE_DOMAIN } from '../../src/cache/key-sink.ts';
import { HoleRuns } from '../../src/values/hole-runs.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { test } from '../property.ts';

const registry = new SerializerRegistry();
const SUBJECT = { taskName: 't', root: 'input' };

/** Arrays with runs of holes of every kind: short ones, many of them, and such as are listed. */
const sparse = fc
  .array(fc.tuple(fc.oneof(fc.nat(3), fc.integer({ min: 900, max: 1200 }), fc.nat(50_000)), fc.boolean()), {
    maxLength: 5,
  })
  .map((runs) => {
    const array: unknown[] = [];
    for (const [holes, isDefined] of runs) {
      array.length += holes;
      array.push(isDefined ? holes : undefined);
    }
    return array;
  });
const withEnd = fc.tuple(sparse, fc.nat(2000)).map(([array, holes]) => {
  array.length += holes;
  return array;
});

test.prop([withEnd])('an array comes back with its holes where they were', (array) => {
  const artifact = registry.serialize('a', array);
  const back = registry.deserialize('a', artifact, artifact.bytes) as unknown[];
  expect(back.length).toBe(array.length);
  expect(Object.entries(back)).toEqual(Object.entries(array));
});

test.prop([withEnd])('an array has the digest of its elements, one hole after the other', (array) => {
  const sink = new KeySink();
  sink.begin(VALUE_DOMAIN);
  sink.byte(TAG.array);
  sink.count(array.length);
  for (let index = 0; index < array.length; index++) {
    const element = array[index];
    if (!(index in array)) sink.byte(TAG.hole);
    else if (element === undefined) sink.byte(TAG.undefined);
    else {
      sink.byte(TAG.number);
      sink.double(element as number);
    }
  }
  expect(valueDigest(array, SUBJECT, registry)).toBe(sink.finish());
});

describe('an array of few elements and many holes', () => {
  it('is not asked for each hole', () => {
    let asked = 0;
    const array: unknown[] = [];
    for (let element = 1; element <= 20; element++) array[element * 1_000_000] = element;
    const counted = new Proxy(array, {
      getOwnPropertyDescriptor(target, key) {
        asked++;
        return Reflect.getOwnPropertyDescriptor(target, key);
      },
    });
    const runs = new HoleRuns(counted);
    expect(runs.from(0)).toBe(1_000_000);
    expect(runs.from(1_000_001)).toBe(999_999);
    expect(runs.from(19_000_001)).toBe(999_999);
    expect(asked).toBeLessThan(5000);
  });

  it('is refused at once where its holes take too many bytes', () => {
    const array: unknown[] = [];
    array[2 ** 30] = 1;
    const before = process.memoryUsage().arrayBuffers;
    expect(() => registry.serialize('a', array)).toThrow(/more than 1073741824 bytes/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 ** 2);
  });

  it('is known to be large where it is reached often, without being looked through', () => {
    const array: unknown[] = [];
    array[3_000_000] = 1;
    expect(() => registry.serialize('a', new Array(400).fill(array))).toThrow(/more than 1073741824 bytes/);
  });
});
