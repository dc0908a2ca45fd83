import { Malformed } from './thrift.ts';

const MIN_MATCH = 4;

/**
 * Decompresses one block of LZ4 (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md) that holds exactly `rawBytes` bytes.
 *
 * @throws Malformed
 */
export function decompressLz4(bytes: Uint8Array, rawBytes: number): Uint8Array {
  const raw = new Uint8Array(rawBytes);
  let at = 0;
  let written = 0;
  const byte = (): number => {
    if (at >= bytes.length) throw new Malformed('a page ends in its compressed bytes');
    return bytes[at++] as number;
  };
  const length = (nibble: number): number => {
    let sum = nibble;
    if (nibble < 15) return sum;
    for (let more = 255; more === 255; sum += more) more = byte();
    return sum;
  };
  while (at < bytes.length) {
    const token = byte();
    const literals = length(token >>> 4);
    if (literals > bytes.length - at || literals > rawBytes - written)
      throw new Malformed('a page has compressed bytes that lead beyond it');
    raw.set(bytes.subarray(at, at + literals), written);
    at += literals;
    written += literals;
    if (at === bytes.length) break; // the last literals have no match
    const distance = byte() | (byte() << 8);
    const match = length(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > written || match > rawBytes - written)
      throw new Malformed('a page has compressed bytes that lead beyond it');
    // What is copied may overlap what it is copied to.
    for (const end = written + match; written < end; written++)
      raw[written] = raw[written - distance] as number;
  }
  if (written !== rawBytes) throw new Malformed(`a page claims ${rawBytes} bytes, and has ${written}`);
  return raw;
}
