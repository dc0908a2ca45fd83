import { readFooter } from '../../src/parquet/footer.ts';
import type { FrameSpec } from '../../src/parquet/frame-columns.ts';
import { givenRows } from '../../src/parquet/given-rows.ts';
import type { ParquetSource } from '../../src/parquet/parquet-source.ts';
import { type FrameRow, rowGiver } from '../../src/parquet/row-values.ts';
import { planScan } from '../../src/parquet/scan.ts';
import type { ScanOptions } from '../../src/parquet/scan-options.ts';
import { type ParquetFormat, writeParquet } from '../../src/parquet/write-parquet.ts';

/** A Parquet file in memory, and the ranges that were read of it. */
export interface CountedSource extends ParquetSource {
  readonly ranges: { offset: number; length: number }[];
}

export function sourceOf(bytes: Uint8Array): CountedSource {
  const ranges: { offset: number; length: number }[] = [];
  return {
    shown: 'File "x.parquet"',
    ranges,
    size: async () => bytes.length,
    read: async (range) => {
      ranges.push(range);
      return bytes.slice(range.offset, range.offset + range.length);
    },
  };
}

export async function written(
  rows: Iterable<FrameRow> | AsyncIterable<FrameRow>,
  spec?: FrameSpec,
  format: Partial<ParquetFormat> = {},
): Promise<Uint8Array> {
  const { columns, batches } = await givenRows(rows, spec);
  const pieces: Uint8Array[] = [];
  const whole: ParquetFormat = { compression: 'none', rowGroupRows: 65_536, ...format };
  for await (const piece of writeParquet(columns, batches, whole)) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

/** The rows of a file, or those that the options ask for. */
export async function rowsOf(
  from: Uint8Array | ParquetSource,
  options: ScanOptions = {},
): Promise<FrameRow[]> {
  const source = from instanceof Uint8Array ? sourceOf(from) : from;
  const scan = planScan(await readFooter(source, {}), options);
  const givers = scan.columns.map(({ column }) => [column.name, rowGiver(column)] as const);
  const rows: FrameRow[] = [];
  for await (const group of scan.rows({})) {
    for (let row = 0; row < group.rows; row++) {
      rows.push(
        Object.fromEntries(givers.map(([name, give], index) => [name, give(group.columns[index]?.[row])])),
      );
    }
  }
  return rows;
}
