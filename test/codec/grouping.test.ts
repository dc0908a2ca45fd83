import fc from 'fast-check';
import { expect } from 'vitest';
import { groupBytes, MAX_ELEMENT_BYTES, MIN_ELEMENT_BYTES, ungroupBytes } from '../../src/codec/grouping.ts';
import { test } from '../property.ts';

const elementBytes = fc.integer({ min: MIN_ELEMENT_BYTES, max: MAX_ELEMENT_BYTES });

function group(bytes: Uint8Array, width: number): Uint8Array {
  const target = new Uint8Array(bytes.length).fill(0xee);
  groupBytes(bytes, width, target);
  return target;
}

test.prop([fc.uint8Array({ maxLength: 500 }), elementBytes])('ungrouping undoes grouping', (bytes, width) => {
  const target = new Uint8Array(bytes.length).fill(0xee);
  ungroupBytes(group(bytes, width), width, target);
  expect(target).toEqual(bytes);
});

test.prop([fc.uint8Array({ maxLength: 500 }), elementBytes])(
  'byte b of element e is found in plane b at place e, and a remainder stays at the end',
  (bytes, width) => {
    const elements = Math.floor(bytes.length / width);
    const expected = bytes.slice();
    for (let at = 0; at < elements * width; at++) {
      expected[(at % width) * elements + Math.floor(at / width)] = bytes[at] as number;
    }
    expect(group(bytes, width)).toEqual(expected);
  },
);

test('groups two elements of three bytes and a remainder of one', () => {
  expect([...group(Uint8Array.of(1, 2, 3, 4, 5, 6, 7), 3)]).toEqual([1, 4, 2, 5, 3, 6, 7]);
});

test('reads a view at any alignment', () => {
  const bytes = Uint8Array.from({ length: 33 }, (_, i) => i);
  expect(group(bytes.subarray(1), 8)).toEqual(group(bytes.slice(1), 8));
});
