import * as arrow from 'apache-arrow';
import { tableFromIPC, tableToIPC } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { arrowRows } from '../../src/parquet/arrow-rows.ts';
import { ArrowTableMaker } from '../../src/parquet/arrow-table.ts';
import { readFooter } from '../../src/parquet/footer.ts';
import type { FrameData } from '../../src/parquet/given-rows.ts';
import { planScan } from '../../src/parquet/scan.ts';
import { writeParquet } from '../../src/parquet/write-parquet.ts';
import type { ArrowLibrary, ArrowTable } from '../../src/values/arrow-library.ts';
import { propertyRuns, test } from '../property.ts';
import { frames } from './arbitrary-frame.ts';
import { rowsOf, sourceOf, written } from './frame-fixture.ts';

/** Each has many values, and takes as long as several of others. */
const FEWER = { numRuns: Math.ceil(propertyRuns / 3) };
const library = arrow as unknown as ArrowLibrary;

async function bytesOf({ columns, batches }: FrameData): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of writeParquet(columns, batches, { compression: 'none', rowGroupRows: 5 }))
    pieces.push(piece);
  return Buffer.concat(pieces);
}

async function arrowOf(bytes: Uint8Array): Promise<ArrowTable> {
  const scan = planScan(await readFooter(sourceOf(bytes), {}), {});
  const maker = new ArrowTableMaker(
    library,
    scan.columns.map(({ column }) => column),
  );
  for await (const rows of scan.rows({})) maker.add(rows);
  return maker.table();
}

describe('rows as Parquet', () => {
  test.prop(
    [frames, fc.constantFrom('none' as const, 'snappy' as const), fc.integer({ min: 1, max: 15 })],
    FEWER,
  )(
    'come back as they were, of every type, with nulls',
    async ({ spec, rows }, compression, rowGroupRows) => {
      const bytes = await written(rows, spec, { compression, rowGroupRows });
      expect(await rowsOf(bytes)).toStrictEqual(rows);
    },
  );

  test.prop([frames], FEWER)(
    'make equal bytes each time, whatever batches they come in',
    async ({ spec, rows }) => {
      async function* oneByOne(): AsyncGenerator<Record<string, unknown>> {
        for (const row of rows) yield row;
      }
      expect(await written(oneByOne(), spec)).toStrictEqual(await written(rows, spec));
    },
  );

  test.prop([frames], FEWER)('come back as they were from an Arrow table of them', async ({ spec, rows }) => {
    // Text is all that Arrow knows of JSON and UUIDs.
    const bytes = await written(rows, spec, { rowGroupRows: 5 });
    const table = await arrowOf(bytes);
    const again = tableFromIPC(tableToIPC(table as never, 'stream')) as unknown as ArrowTable;
    const through = await bytesOf(arrowRows(again, library));
    expect(await rowsOf(through)).toStrictEqual(rows);
    expect(await bytesOf(arrowRows(await arrowOf(through), library))).toStrictEqual(through);
  });
});
