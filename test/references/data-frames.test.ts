import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as arrow from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { DataFrameRef } from '../../src/references/data-frame-ref.ts';
import { dataFrameRef } from '../../src/references/schemas.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { written } from '../parquet/frame-fixture.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const rows = Array.from({ length: 500 }, (_, id) => ({
  id: BigInt(id),
  auc: id / 500,
  name: id % 3 === 0 ? null : `model ${id % 7}`,
  tags: [`t${id % 2}`],
}));

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function contentIn(storage: MemoryStorage): Promise<string[]> {
  return (await objectNames(storage)).filter((name) => /^(data|manifests|packs|plain)\//.test(name));
}

describe('a data frame', () => {
  it('is read as rows, batches, columns and Arrow: columns, filters, offset and limit', async () => {
    await using flow = await openFlow();
    const frame = await flow.frames.fromRows(rows, { rowGroupRows: 100, name: 'models.parquet' });
    expect(frame).toMatchObject({ kind: 'frame', name: 'models.parquet', size: expect.any(Number) });
    expect(await frame.rowCount()).toBe(500);
    expect((await frame.schema()).map(({ name, type }) => [name, type])).toEqual([
      ['id', 'int64'],
      ['auc', 'float64'],
      ['name', 'string'],
      ['tags', 'list'],
    ]);
    expect(await frame.statistics()).toEqual({
      id: { nulls: 0, min: 0n, max: 499n },
      auc: { nulls: 0, min: 0, max: 499 / 500 },
      name: { nulls: 167, min: 'model 0', max: 'model 6' },
    });
    expect(await collected(frame.rows())).toStrictEqual(rows);
    const best = await collected(
      frame.rows<{ id: bigint }>({ columns: ['id'], filter: { auc: { gt: 0.99 } } }),
    );
    expect(best).toStrictEqual([{ id: 496n }, { id: 497n }, { id: 498n }, { id: 499n }]);
    expect(
      (await collected(frame.batches({ offset: 150, limit: 100 }))).map((batch) => batch.length),
    ).toEqual([50, 50]);
    expect(await frame.columns({ columns: ['auc', 'name'], limit: 2 })).toEqual({
      auc: [0, 1 / 500],
      name: [null, 'model 1'],
    });
    const table = await frame.arrow<arrow.Table>({ columns: ['id', 'tags'], offset: 498 });
    expect(table).toBeInstanceOf(arrow.Table);
    expect(table.toArray().map((row) => ({ id: row.id, tags: [...row.tags] }))).toEqual([
      { id: 498n, tags: ['t0'] },
      { id: 499n, tags: ['t1'] },
    ]);
  });

  it('tells rows, schema and statistics by its footer, without its data', async () => {
    const storage = new CountStorage(new MemoryStorage('', { localReads: false }));
    await using flow = await openFlow({ storage });
    const x = new Float64Array(noise(4_000_000).buffer.slice(0)).map(Math.abs);
    await flow.task(spec, async (task) =>
      task.saveArtifacts({ frame: await task.frames.fromColumns({ x }) }),
    );
    await using other = await openFlow({ storage });
    const { frame } = await (await other.getTaskDataStore('r1/fit/0')).loadArtifacts<{ frame: DataFrameRef }>(
      ['frame'],
    );
    expect(frame.size).toBeGreaterThan(3_000_000);
    storage.reset();
    expect(await frame.rowCount()).toBe(500_000);
    expect((await frame.schema()).map(({ name }) => name)).toEqual(['x']);
    expect(await frame.statistics()).toMatchObject({ x: { nulls: 0 } });
    expect(storage.snapshot().get.bytes).toBeLessThan(400_000);
    await frame.columns();
    expect(storage.snapshot().get.bytes).toBeGreaterThan(3_000_000);
  });

  it('comes from columns and Arrow tables, and is equal however it came', async () => {
    await using flow = await openFlow();
    const x = new Float64Array([1, -0, Number.NaN]);
    const s = ['a', null, 'b'];
    const fromColumns = await flow.frames.fromColumns({ x, s });
    expect(await fromColumns.columns()).toEqual({ x, s });
    const table = new arrow.Table({
      x: arrow.makeVector(x),
      s: arrow.vectorFromArray(s, new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32())),
    });
    const fields = table.schema.fields.map(
      (field) => new arrow.Field(field.name, field.type, field.name === 's'),
    );
    const typed = new arrow.Table(new arrow.Schema(fields), table.batches);
    const fromArrow = await flow.frames.fromArrow(typed);
    expect(fromArrow.digest).toBe(fromColumns.digest);
    const fromRows = await flow.frames.fromRows(
      [...x].map((value, row) => ({ x: value, s: s[row] })),
      { schema: { x: { type: 'float64', nullable: false }, s: 'string' } },
    );
    expect(fromRows.digest).toBe(fromColumns.digest);
    expect((await errorOf(flow.frames.fromArrow({}), 'INVALID_ARGUMENT')).message).toMatch(
      /takes an Apache Arrow table/,
    );
    const durations = new arrow.Table({ d: arrow.vectorFromArray([1n], new arrow.DurationMicrosecond()) });
    expect((await errorOf(flow.frames.fromArrow(durations), 'UNSUPPORTED_COLUMN')).message).toMatch(
      /"d" has the Arrow type/,
    );
  });

  it('is saved within values, loaded elsewhere, copied, and passed on without a copy', async () => {
    const storage = new MemoryStorage();
    await using flow = await openFlow({ storage });
    await flow.task(spec, async (task) => {
      const frame = await task.frames.fromRows(rows);
      await task.saveArtifacts({ nested: { frames: new Map([['models', frame]]) } });
    });
    const before = await contentIn(storage);
    const loadFrom = async (from: FlowDataStore): Promise<DataFrameRef> => {
      const { nested } = await (await from.getTaskDataStore('r1/fit/0')).loadArtifacts<{
        nested: { frames: Map<string, DataFrameRef> };
      }>(['nested']);
      return nested.frames.get('models') as DataFrameRef;
    };
    const loaded = await loadFrom(flow);
    expect(loaded).toBeInstanceOf(DataFrameRef);
    await flow.task({ ...spec, stepName: 'next' }, (task) => task.saveArtifacts({ loaded }));
    expect(await contentIn(storage)).toEqual(before);

    const target = new MemoryStorage();
    await copyStore({ from: storage, to: target });
    await using copied = await openFlow({ storage: target });
    expect(await collected((await loadFrom(copied)).rows())).toStrictEqual(rows);
  });

  it('counts in cache keys by its content, so that equal frames hit', async () => {
    await using flow = await openFlow();
    let runs = 0;
    const make = flow.cachedTask({
      name: 'make',
      version: '1',
      input: z.object({ version: z.number() }),
      output: dataFrameRef(),
      run: async (_input: { version: number }, { frames }) => frames.fromRows(rows),
    });
    const count = flow.cachedTask({
      name: 'count',
      version: '1',
      run: async ({ frame }: { frame: DataFrameRef }) => {
        runs++;
        return { rows: await frame.rowCount() };
      },
    });
    expect(await count({ frame: await make({ version: 1 }) })).toEqual({ rows: 500 });
    expect(await count({ frame: await make({ version: 2 }) })).toEqual({ rows: 500 });
    expect(runs).toBe(1);
    const other = await flow.frames.fromRows(rows.slice(1));
    expect(await count({ frame: other })).toEqual({ rows: 499 });
    const refused = dataFrameRef()['~standard'].validate({});
    expect(refused).toEqual({ issues: [{ message: expect.stringMatching(/^must be a DataFrameRef/) }] });
  });

  it('refers to a Parquet file where it is, or copies it', async () => {
    const folder = scratchFolder();
    const path = join(folder, 'x.parquet');
    writeFileSync(path, await written(rows));
    const storage = new MemoryStorage();
    await using flow = await openFlow({ storage });
    const there = await flow.frames.existing(path);
    expect(there.file.uri).toMatch(/^file:/);
    expect(await contentIn(storage)).toEqual([]);
    const here = await flow.frames.fromLocal(path);
    const copied = await flow.frames.existing(there.file, { copy: true, name: 'y.parquet' });
    expect(copied.digest).toBe(here.digest);
    expect(await flow.frames.existing(here.file)).toEqual(here);
    for (const frame of [there, here, copied, await flow.frames.remote(path)])
      expect(await collected(frame.rows())).toStrictEqual(rows);
    writeFileSync(path, await written(rows.slice(1)));
    await errorOf(
      (await flow.frames.existing(path)).rowCount().then(() => there.columns()),
      'REFERENCE_CHANGED',
    );
  });

  it('is refused, and nothing is left behind, where the file is no Parquet or a value does not fit', async () => {
    const folder = scratchFolder();
    const path = join(folder, 'x.csv');
    writeFileSync(path, 'id,name\n1,a\n2,b\n');
    const storage = new MemoryStorage();
    await using flow = await openFlow({ storage });
    const { message } = await errorOf(flow.frames.fromLocal(path), 'INVALID_PARQUET');
    expect(message).toMatch(/x\.csv cannot be read as Parquet: it does not end with PAR1/);
    await errorOf(flow.frames.existing(path), 'INVALID_PARQUET');
    await errorOf(flow.frames.existing(path, { copy: true }), 'INVALID_PARQUET');
    await errorOf(flow.frames.fromRows([{ a: 1 }, { a: 'x' }]), 'UNSUPPORTED_COLUMN');
    expect(await objectNames(storage)).toEqual([]);
    async function* stream(): AsyncGenerator<{ a: unknown }> {
      for (let row = 0; row < 20_000; row++) yield { a: `row ${row}` };
      yield { a: 1 };
    }
    await errorOf(flow.frames.fromRows(stream(), { rowGroupRows: 1_000 }), 'UNSUPPORTED_COLUMN');
    expect(await contentIn(storage)).toEqual([]);
    await errorOf((await flow.frames.remote(path)).schema(), 'INVALID_PARQUET');
    await errorOf((await flow.frames.remote(join(folder, 'none'))).schema(), 'REFERENCE_NOT_FOUND');
    expect(readdirSync(folder)).toEqual(['x.csv']);
  });

  it.each([
    [{ columns: 'auc' }, /columns must be a list of names/],
    [{ limit: -1 }, /limit must be/],
    [{ where: {} }, /where/],
  ])('refuses options that there are not: %j', async (options, message) => {
    await using flow = await openFlow();
    const frame = await flow.frames.fromRows(rows);
    expect((await errorOf(frame.columns(options as never), 'INVALID_ARGUMENT')).message).toMatch(message);
  });

  it('stops when its signal is aborted', async () => {
    await using flow = await openFlow();
    const frame = await flow.frames.fromRows(rows, { rowGroupRows: 100 });
    const abort = new AbortController();
    const reading = async (): Promise<void> => {
      for await (const _ of frame.batches({ signal: abort.signal })) abort.abort();
    };
    await errorOf(reading(), 'ABORTED');
    await errorOf(flow.frames.fromRows(rows, { signal: AbortSignal.abort() }), 'ABORTED');
  });
});
