import { CRC32C } from '@google-cloud/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Crc32c } from '../../../src/storage/gcs/crc32c.ts';
import { test } from '../../property.ts';

describe('Crc32c', () => {
  it.each([
    ['', '00000000'],
    ['123456789', 'e3069283'], // the check value of CRC-32/ISCSI
    ['\0'.repeat(32), '8a9136aa'], // RFC 3720, appendix B.4
  ])('of %j is as published', (content, hex) => {
    const checksum = new Crc32c().update(Buffer.from(content)).toString();
    expect(Buffer.from(checksum, 'base64').toString('hex')).toBe(hex);
  });

  test.prop([fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(300)], { numRuns: 500 })(
    'is what the SDK says, wherever the bytes lie and however they are cut',
    (content, first, second) => {
      const expected = new CRC32C();
      expected.update(Buffer.from(content));
      const [from, to] = [Math.min(first, second), Math.max(first, second)];
      const actual = new Crc32c();
      for (const piece of [content.subarray(0, from), content.subarray(from, to), content.subarray(to)]) {
        actual.update(piece);
      }
      expect(actual.toString()).toBe(expected.toString());
      expect(new Crc32c().update(content).toString()).toBe(expected.toString());
    },
  );
});
