import fc from 'fast-check';
import { describe, expect } from 'vitest';
import {
  chooseBlake3,
  createHasher,
  digestBytes,
  digestHex,
  digestImplementation,
} from '../../src/digest/blake3.ts';
import { loadNative } from '../../src/digest/native.ts';
import { loadPortable } from '../../src/digest/portable.ts';
import { isStowageError } from '../../src/errors.ts';
import { test } from '../property.ts';
import { BLAKE3_VECTORS } from './blake3-vectors.ts';

const implementations = [loadNative(), loadPortable()];

describe.each(implementations)('$implementation BLAKE3', (blake3) => {
  test.each(BLAKE3_VECTORS)('gives the official digest of %i bytes', (inputBytes, expected) => {
    const input = Uint8Array.from({ length: inputBytes }, (_, i) => i % 251);
    expect(blake3.digestHex(input)).toBe(expected);
    expect(Buffer.from(blake3.digestBytes(input)).toString('hex')).toBe(expected);
  });

  test.prop([fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 6 })])(
    'gives one digest, however the content is split',
    (parts) => {
      const hasher = blake3.createHasher();
      for (const part of parts) hasher.update(part);
      expect(hasher.digestHex()).toBe(blake3.digestHex(Buffer.concat(parts)));
    },
  );

  test('hashes the bytes of a view, not of the buffer beneath it', () => {
    const bytes = Uint8Array.from([9, 9, 97, 98, 99, 9]);
    expect(blake3.digestHex(bytes.subarray(2, 5))).toBe(
      '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85',
    );
  });

  test('a digest can be taken before the content is complete', () => {
    const hasher = blake3.createHasher().update(Buffer.from('ab'));
    expect(hasher.digestHex()).toBe(blake3.digestHex(Buffer.from('ab')));
    expect(hasher.digestHex()).toBe(hasher.digestHex());
    hasher.update(Buffer.from('c'));
    expect(hasher.digestHex()).toBe(blake3.digestHex(Buffer.from('abc')));
  });

  test('hashers in progress do not disturb each other, nor whole digests', () => {
    const [one, other] = [blake3.createHasher(), blake3.createHasher()];
    one.update(Buffer.from('a'));
    other.update(Buffer.from('x'));
    blake3.digestHex(Buffer.from('between'));
    expect(one.update(Buffer.from('bc')).digestHex()).toBe(blake3.digestHex(Buffer.from('abc')));
    expect(other.digestHex()).toBe(blake3.digestHex(Buffer.from('x')));
  });
});

const [native, portable] = implementations as [
  (typeof implementations)[number],
  (typeof implementations)[number],
];

test.prop([fc.uint8Array({ maxLength: 20_000 })])('native and portable digests are equal', (bytes) => {
  expect(portable.digestHex(bytes)).toBe(native.digestHex(bytes));
});

test('digests beyond one piece of WebAssembly memory are equal', () => {
  const bytes = new Uint8Array((1 << 20) + 12_345).map((_, i) => i * 31);
  expect(portable.digestHex(bytes)).toBe(native.digestHex(bytes));
  expect(portable.createHasher().update(bytes).digestBytes()).toEqual(native.digestBytes(bytes));
});

test('without a fitting binary the portable implementation is taken', () => {
  const missing = (): never => {
    throw new Error('Cannot find native binding.');
  };
  expect(chooseBlake3([missing, loadPortable]).implementation).toBe('portable');
});

test('a binary that gives wrong digests is not taken', () => {
  const wrong = () => ({ ...native, digestHex: () => '00'.repeat(32) });
  expect(chooseBlake3([wrong, loadPortable]).implementation).toBe('portable');
  expect(() => chooseBlake3([wrong])).toThrow(
    expect.toSatisfy((error) => isStowageError(error, 'CODEC_UNAVAILABLE')),
  );
});

test('where none can be loaded, as in a bundle, it is told that stowage must stay outside of it', () => {
  const missing = (): never => {
    throw new Error('Cannot find module');
  };
  expect(() => chooseBlake3([missing])).toThrow(/npm ci.*bundle.*--external:stowage/);
});

test('the process-wide functions agree with the implementation they name', () => {
  const bytes = Buffer.from('abc');
  expect(digestImplementation()).toBe('native');
  expect(digestHex(bytes)).toBe(native.digestHex(bytes));
  expect(digestBytes(bytes)).toEqual(native.digestBytes(bytes));
  expect(createHasher().update(bytes).digestHex()).toBe(native.digestHex(bytes));
});
