import * as arrow from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { propertyRuns, test } from '../property.ts';
import { arbitraryTable } from './arbitrary-table.ts';

const registry = new SerializerRegistry();
await registry.prepareToSave([new arrow.Table()]);

/** Decodes, and holds the registry to its promise: a table, or the reason why there is none. */
function decode(bytes: Uint8Array): arrow.Table | string {
  try {
    return registry.deserialize('t', { encoding: 'arrow', type: 'Table' }, bytes) as arrow.Table;
  } catch (error) {
    if (!isStowageError(error, 'UNDECODABLE_ARTIFACT')) throw error;
    return error.details.reason as string;
  }
}

const bytesOf = (table: arrow.Table) => Uint8Array.from(registry.serialize('t', table).bytes);
const numbers = () => new arrow.Table({ a: arrow.makeVector(Int32Array.of(7, 8, 9)) });

const mutation = fc.record({
  place: fc.nat(),
  byte: fc.integer({ min: 0, max: 255 }),
  how: fc.constantFrom('set', 'flip', 'length', 'count', 'insert', 'cut'),
});

test.prop([arbitraryTable, fc.array(mutation, { minLength: 1, maxLength: 4 })], {
  numRuns: 2 * propertyRuns,
})('mutated bytes decode to a table or an error', (table, mutations) => {
  const mutated = mutations.reduce(mutate, bytesOf(table));
  const decoded = decode(mutated);
  if (typeof decoded === 'string') return;
  const mayBeEmpty = decoded.schema.fields.every(({ typeId }) => [1, 13, 16].includes(typeId));
  expect(mayBeEmpty || decoded.numRows <= 8 * mutated.length).toBe(true);
});

function mutate(
  bytes: Uint8Array,
  { place, byte, how }: { place: number; byte: number; how: string },
): Uint8Array {
  if (bytes.length < 16) return bytes;
  const at = place % (bytes.length - 8);
  const view = new DataView(bytes.buffer);
  if (how === 'set') bytes[at] = byte;
  else if (how === 'flip') bytes[at] = (bytes[at] as number) ^ (1 << (byte % 8));
  else if (how === 'length')
    view.setUint32(at - (at % 4), [2 ** 32 - 1, 2 ** 31 - 1, 2 ** 24, byte][byte % 4] as number, true);
  else if (how === 'count')
    view.setBigInt64(at - (at % 8), [2n ** 62n, 2n ** 40n, -1n, BigInt(byte)][byte % 4] as bigint, true);
  else if (how === 'insert')
    return Uint8Array.from([...bytes.slice(0, at), ...new Array<number>(8).fill(byte), ...bytes.slice(at)]);
  else return bytes.slice(0, at);
  return bytes;
}

test.prop([fc.uint8Array({ maxLength: 200 })], { numRuns: propertyRuns })(
  'random bytes decode to an error',
  (bytes) => {
    expect(decode(bytes)).toEqual(expect.any(String));
  },
);

test.prop([arbitraryTable, fc.nat()], { numRuns: propertyRuns })(
  'no proper prefix of a table is a table',
  (table, length) => {
    const bytes = bytesOf(table);
    expect(decode(bytes.slice(0, length % bytes.length))).toEqual(expect.any(String));
  },
);

/** Where `numbers` stand in a stream, as 64 bits each. */
function placeOf(bytes: Uint8Array, numbers: readonly bigint[]): number {
  const at = Buffer.from(bytes.buffer).indexOf(Buffer.from(BigInt64Array.from(numbers).buffer));
  if (at === -1) throw new Error('the stream holds no such numbers');
  return at;
}

/** A stream in which numbers of 64 bits each are replaced. */
function patched(bytes: Uint8Array, find: readonly bigint[], replace: readonly bigint[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(new Uint8Array(BigInt64Array.from(replace).buffer), placeOf(bytes, find));
  return copy;
}

/**
 * A stream with no batches and one column of structs in structs: `levels` of them, each of which has the next as all of its
 * `children`.
 */
function structs(levels: number, children: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(64 * 1024));
  const prefixBytes = 8;
  let end = prefixBytes + 4;
  /** A table that has these fields, of 8 bytes each. */
  const table = (fields: readonly number[]): number => {
    const slots = Math.max(-1, ...fields) + 1;
    const start = end + 4 + 2 * slots;
    view.setUint16(end, 4 + 2 * slots, true);
    view.setUint16(end + 2, 4 + 8 * slots, true);
    for (const field of fields) view.setUint16(end + 4 + 2 * field, 4 + 8 * field, true);
    view.setInt32(start, start - end, true);
    end = start + 4 + 8 * slots;
    return start;
  };
  const vector = (length: number): number => {
    const start = end;
    view.setUint32(start, length, true);
    end += 4 + 4 * length;
    return start;
  };
  const fieldOf = (start: number, field: number) => start + 4 + 8 * field;
  const point = (from: number, to: number) => view.setUint32(from, to - from, true);

  const message = table([0, 1, 2, 3]);
  point(prefixBytes, message);
  view.setInt16(fieldOf(message, 0), 4, true);
  view.setUint8(fieldOf(message, 1), 1);
  const schema = table([1]);
  point(fieldOf(message, 2), schema);
  const columns = vector(1);
  point(fieldOf(schema, 1), columns);
  let parents = [columns + 4];
  for (let level = 0; level < levels; level++) {
    const column = table([2, 3, 5]);
    for (const parent of parents) point(parent, column);
    view.setUint8(fieldOf(column, 2), 13);
    point(fieldOf(column, 3), table([]));
    const below = vector(level === levels - 1 ? 0 : children);
    point(fieldOf(column, 5), below);
    parents = Array.from({ length: children }, (_, index) => below + 4 + 4 * index);
  }
  const metadataBytes = Math.ceil((end - prefixBytes) / 8) * 8;
  view.setInt32(0, -1, true);
  view.setInt32(4, metadataBytes, true);
  view.setInt32(prefixBytes + metadataBytes, -1, true);
  return new Uint8Array(view.buffer, 0, prefixBytes + metadataBytes + 8);
}

describe('a stream', () => {
  // The only node of the batch: three rows, no nulls.
  const NODE = [3n, 0n];
  // The values; the first buffer, of validity, is empty.
  const BUFFER = [0n, 16n];

  it('whose numbers are found is decoded before they are changed', () => {
    expect(decode(patched(bytesOf(numbers()), NODE, NODE))).toBeInstanceOf(arrow.Table);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['with a column longer than its batch', patched(bytesOf(numbers()), NODE, [2n ** 40n, 0n]), /other rows/],
    ['with a column shorter than its batch', patched(bytesOf(numbers()), NODE, [2n, 0n]), /other rows/],
    [
      'with a number that no JavaScript number holds',
      patched(bytesOf(numbers()), NODE, [2n ** 60n, 0n]),
      /out of range/,
    ],
    [
      'with a buffer outside of its batch',
      patched(bytesOf(numbers()), BUFFER, [8n, 16n]),
      /outside of its record batch/,
    ],
    [
      'with a buffer before its batch',
      patched(bytesOf(numbers()), BUFFER, [-8n, 16n]),
      /outside of its record batch/,
    ],
    ['that goes on', Buffer.concat([bytesOf(numbers()), Buffer.alloc(8)]), /8 bytes follow its end/],
    ['that is a file', arrow.tableToIPC(numbers(), 'file'), /does not begin as one/],
    [
      'of the format before 0.15',
      new arrow.RecordBatchStreamWriter({ writeLegacyIpcFormat: true })
        .writeAll(numbers())
        .toUint8Array(true) as unknown as Uint8Array,
      /does not begin as one/,
    ],
    ['of nothing', new Uint8Array(0), /ends before/],
    ['of an end alone', Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0), /no schema/],
  ])('%s is refused', (_name, bytes, reason) => {
    expect(decode(bytes)).toMatch(reason);
  });

  it('that declares more rows than it has bytes for is refused', () => {
    const bytes = bytesOf(numbers());
    const view = new DataView(bytes.buffer);
    // The batch's length and the node's.
    const lengths = [...bytes.keys()].filter((at) => at % 8 === 0 && view.getBigInt64(at, true) === 3n);
    for (const at of lengths) view.setBigInt64(at, 1_000_000n, true);
    expect(lengths).toHaveLength(2);
    expect(decode(bytes)).toMatch(/more rows than there are bytes for/);
  });

  it('that declares more nodes than it has bytes for is refused before they are read', () => {
    const bytes = bytesOf(numbers());
    const count = placeOf(bytes, NODE) - 4;
    const view = new DataView(bytes.buffer);
    expect(view.getUint32(count, true)).toBe(1);
    view.setUint32(count, 2 ** 31 - 1, true);
    expect(decode(bytes)).toMatch(/declares more than there is/);
  });

  it('whose column has a name that ends beyond its metadata is refused', () => {
    const bytes = bytesOf(numbers());
    const name = Buffer.from(bytes.buffer).indexOf(Buffer.from([1, 0, 0, 0, 'a'.charCodeAt(0)]));
    new DataView(bytes.buffer).setUint32(name, 200, true);
    expect(decode(bytes)).toMatch(/declares more than there is/);
  });

  it('of few bytes that stand for a huge schema is refused before that is made', () => {
    expect(decode(structs(3, 2))).toBeInstanceOf(arrow.Table);
    expect(structs(60, 2).length).toBeLessThan(10_000);
    expect(decode(structs(60, 2))).toMatch(/declares more than there is/);
  });

  it('whose types are nested too deeply is refused', () => {
    expect(decode(structs(64, 1))).toBeInstanceOf(arrow.Table);
    expect(decode(structs(65, 1))).toMatch(/nested deeper than 64/);
  });

  it('of compressed batches is refused, whatever codecs there are', () => {
    const magic = [0x28, 0xb5, 0x2f, 0xfd, 0, 0];
    const codec = {
      encode: (data: Uint8Array) => Uint8Array.from([...magic, ...data]),
      decode: (data: Uint8Array) => data.subarray(magic.length),
    };
    arrow.compressionRegistry.set(arrow.CompressionType.ZSTD, codec);
    const bytes = arrow.tableToIPC(numbers(), 'stream', arrow.CompressionType.ZSTD);
    expect(arrow.tableFromIPC(bytes).numRows).toBe(3);
    expect(decode(bytes)).toMatch(/are compressed/);
  });
});
