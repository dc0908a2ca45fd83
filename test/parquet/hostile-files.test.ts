import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import * as hyparquet from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { compress, prepareCodec } from '../../src/codec/zstd.ts';
import { isStowageError } from '../../src/errors.ts';
import type { Chunk } from '../../src/parquet/footer.ts';
import { checkPages, decompressorOf, OverBudget, PageBudget } from '../../src/parquet/pages.ts';
import { checkTree } from '../../src/parquet/parquet-schema.ts';
import { Malformed } from '../../src/parquet/thrift.ts';
import { test } from '../property.ts';
import { rowsOf } from './frame-fixture.ts';

const folder = fileURLToPath(new URL('pyarrow/', import.meta.url));
const NAMES = readdirSync(folder);
const files = NAMES.map((name) => readFileSync(`${folder}${name}`));
/** The others hold the same columns, which take long to read. */
const small = NAMES.flatMap((name, index) =>
  /encodings|groups|old/.test(name) ? [files[index] as Uint8Array] : [],
);
const EXPECTED = ['INVALID_PARQUET', 'CONTENT_TOO_LARGE', 'UNSUPPORTED_COLUMN'] as const;

async function failureOf(bytes: Uint8Array): Promise<{ code: string; message: string } | undefined> {
  try {
    await rowsOf(bytes, { maxGroupBytes: 2 ** 24 });
    return undefined;
  } catch (error) {
    if (isStowageError(error)) return error;
    throw error;
  }
}

describe('bytes that are no Parquet, or lie', () => {
  test.prop([
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...small) }, fc.constantFrom(...files)),
    fc.array(
      fc.tuple(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 255 }),
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
    fc.boolean(),
  ])('give rows or a typed error, whatever bits are changed', async (file, changes, isInFooter) => {
    const bytes = Uint8Array.from(file);
    const footer = new DataView(bytes.buffer).getUint32(bytes.length - 8, true);
    const start = isInFooter ? bytes.length - 8 - footer : 0;
    for (const [where, mask] of changes) {
      const at = start + Math.floor(where * (bytes.length - start));
      bytes[at] = (bytes[at] as number) ^ mask;
    }
    const failure = await failureOf(bytes);
    if (failure) expect(EXPECTED).toContain(failure.code);
  });

  test.prop([fc.constantFrom(...files), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })])(
    'are told where the file is cut short',
    async (file, part) => {
      expect(await failureOf(file.subarray(0, Math.floor(file.length * part)))).toMatchObject({
        code: 'INVALID_PARQUET',
      });
    },
  );

  it.each([
    ['nothing', new Uint8Array(0), /it has 0 bytes only/],
    ['a text', Buffer.from('id,name\n1,a\n2,b\n'), /it does not end with PAR1/],
    [
      'a footer that is longer than the file',
      Buffer.from('PAR1\xff\xff\xff\x7fPAR1', 'latin1'),
      /claims 2147483647 bytes/,
    ],
    ['an encrypted file', Buffer.from('PARE\x01\0\0\0PARE', 'latin1'), /encrypted/],
    [
      'a struct that nests for ever',
      Buffer.from(`PAR1${'\x1c'.repeat(99)}\x63\0\0\0PAR1`, 'latin1'),
      /nested too deeply/,
    ],
    [
      'lists of millions of elements',
      Buffer.from('PAR1\x19\xf8\xff\xff\xff\x0f\x06\0\0\0PAR1', 'latin1'),
      /leads beyond its end/,
    ],
  ])('are %s', async (_what, bytes, message) => {
    expect(await failureOf(bytes)).toMatchObject({
      code: 'INVALID_PARQUET',
      message: expect.stringMatching(message),
    });
  });

  /** A file of one column, whose footer somebody has changed. */
  function liar(change: (file: ParquetWriter) => void): Uint8Array {
    const writer = new ByteWriter();
    const schema = [
      { name: 'root', num_children: 1 },
      { name: 'x', type: 'INT64', repetition_type: 'REQUIRED' },
    ] as const;
    const file = new ParquetWriter({
      writer,
      schema: schema.map((element) => ({ ...element })),
      codec: 'UNCOMPRESSED',
    });
    file.write({ columnData: [{ name: 'x', data: [1n, 2n, 3n], encoding: 'PLAIN' }] });
    change(file);
    file.finish();
    return writer.getBytes().slice();
  }
  const chunkOf = (file: ParquetWriter): Record<string, unknown> =>
    file.row_groups[0]?.columns[0]?.meta_data as unknown as Record<string, unknown>;
  const trillion = 10n ** 12n;

  it.each<[string, (file: ParquetWriter) => void, RegExp]>([
    [
      'rows that no group has',
      (file) => Object.assign(file, { num_rows: 4n }),
      /claims 4 rows, and its row groups 3/,
    ],
    [
      'more rows than values',
      (file) => {
        Object.assign(file, { num_rows: trillion });
        Object.assign(file.row_groups[0] as object, { num_rows: trillion });
      },
      /3 values in a group of 1000000000000 rows/,
    ],
    [
      'a chunk beyond the file',
      (file) => Object.assign(chunkOf(file), { total_compressed_size: trillion }),
      /beyond the end/,
    ],
    [
      'a chunk before the file',
      (file) => Object.assign(chunkOf(file), { data_page_offset: -1n }),
      /claims -1 as an offset/,
    ],
    ['another type', (file) => Object.assign(chunkOf(file), { type: 'BYTE_ARRAY' }), /in place of "x"/],
    ['fewer columns', (file) => file.row_groups[0]?.columns.pop(), /0 columns, and the schema 1/],
    [
      'a codec that is not known',
      (file) => Object.assign(chunkOf(file), { codec: 'LZO' }),
      /LZO is not supported/,
    ],
  ])('are told when a footer claims %s', async (_what, change, message) => {
    expect(await failureOf(liar(change))).toMatchObject({
      code: 'INVALID_PARQUET',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    [
      [
        { name: 'root', num_children: 2 },
        { name: 'x', type: 'INT32' },
      ],
      /lacks elements/,
    ],
    [
      [
        { name: 'root', num_children: 1 },
        { name: 'x', type: 'INT32' },
        { name: 'y', type: 'INT32' },
      ],
      /belong to nothing/,
    ],
    [[{ name: 'root', num_children: 1 }, { name: 'x' }], /"x" of no type/],
    [
      [
        { name: 'root', num_children: 1 },
        { name: '__proto__', type: 'INT32' },
      ],
      /named __proto__/,
    ],
    [Array.from({ length: 200 }, () => ({ name: 'x', num_children: 1 })), /nested too deeply/],
    [[{ name: 'root' }], /no columns/],
  ] as const)('are told when their schema is no tree: %#', (schema, message) => {
    expect(() => checkTree(schema as never)).toThrow(message);
  });

  it('take no memory for rows that are only claimed', async () => {
    const bytes = liar((file) => {
      Object.assign(file, { num_rows: trillion });
      Object.assign(file.row_groups[0] as object, { num_rows: trillion });
      Object.assign(chunkOf(file), { num_values: trillion });
    });
    expect(await failureOf(bytes)).toMatchObject({ code: 'CONTENT_TOO_LARGE' });
  });
});

describe('pages that lie', () => {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
  const i32 = (delta: number, value: number): number[] => [(delta << 4) | 5, ...varint(value * 2)];

  /** A data page of the first version, with a header that claims these. */
  function page(
    body: Uint8Array,
    { values = 3, raw = body.length, stored = body.length, encoding = 0 } = {},
  ): Uint8Array {
    const about = [...i32(1, values), ...i32(1, encoding), ...i32(1, 3), ...i32(1, 3), 0];
    return Buffer.concat([
      Uint8Array.from([...i32(1, 0), ...i32(1, raw), ...i32(1, stored), 0x2c, ...about, 0]),
      body,
    ]);
  }

  function check(
    bytes: Uint8Array,
    values: number,
    optional = false,
    decompress?: Parameters<typeof checkPages>[2],
  ): void {
    const leaf = {
      path: ['x'],
      element: { name: 'x', type: 'INT32' },
      maxDefinition: Number(optional),
      maxRepetition: 0,
    };
    checkPages(
      bytes,
      { leaf, values, length: bytes.length } as unknown as Chunk,
      decompress,
      new PageBudget(2 ** 20),
    );
  }

  const runs = (...bytes: number[]): Uint8Array => Uint8Array.from([bytes.length, 0, 0, 0, ...bytes]);

  it('are refused before anything is done by what they claim', () => {
    const gunzip = (bytes: Uint8Array): Uint8Array => bytes;
    check(page(new Uint8Array(12)), 3);
    expect(() => check(page(new Uint8Array(12), { stored: 99 }), 3)).toThrow(/leads beyond the column/);
    expect(() => check(page(new Uint8Array(12), { raw: 99 }), 3)).toThrow(/claims 99 bytes, and has 12/);
    expect(() => check(page(new Uint8Array(12), { values: 4 }), 3)).toThrow(/more than its 3 values/);
    expect(() => check(page(new Uint8Array(12), { values: 2 }), 3)).toThrow(/have 2 values, and it claims 3/);
    expect(() => check(page(new Uint8Array(12), { values: 2 ** 28 }), 2 ** 28)).toThrow(OverBudget);
    expect(() => check(page(new Uint8Array(12), { raw: 2 ** 29 }), 3, false, gunzip)).toThrow(OverBudget);
  });

  it('are refused where a run of a few bytes would fill the memory', () => {
    const run = varint(2 ** 31 - 2); // 2^30 - 1 times the same
    expect(() => check(page(runs(...run, 1)), 3, true)).toThrow(/3 values has a run of 1073741823/);
    expect(() => check(page(Uint8Array.from([8, ...run, 1]), { encoding: 8 }), 3)).toThrow(/has a run of/);
    expect(() => check(page(runs(), { values: 3 }), 3, true)).toThrow(Malformed);
    expect(() => check(page(Uint8Array.from([99, 6, 1]), { encoding: 8 }), 3)).toThrow(/indexes of 99 bits/);
    expect(() => check(page(Uint8Array.from([128, 1, 0, 3, 0]), { encoding: 5 }), 3)).toThrow(
      /blocks of deltas/,
    );
    check(page(runs(6, 1)), 3, true);
  });

  it.each(['GZIP', 'BROTLI', 'ZSTD', 'SNAPPY', 'LZ4_RAW'])(
    'unfold to no more than they claim: %s',
    async (codec) => {
      const decompress = await decompressorOf(hyparquet, codec);
      const zeros = new Uint8Array(2 ** 20);
      await prepareCodec();
      const bombs: Record<string, Uint8Array> = {
        GZIP: gzipSync(zeros),
        BROTLI: brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
        ZSTD: compress(zeros, 1),
        // A byte, and copies of it: 64 bytes by three, 270 by two.
        SNAPPY: Uint8Array.from([100, 0, 7, ...Array.from({ length: 999 }, () => [254, 1, 0]).flat()]),
        LZ4_RAW: Uint8Array.from([0x1f, 7, 1, 0, ...Array(9_999).fill(255), 0]),
      };
      expect(() => check(page(bombs[codec] as Uint8Array, { raw: 100 }), 3, false, decompress)).toThrow();
    },
  );
});
