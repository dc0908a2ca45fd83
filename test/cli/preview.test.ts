import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Table, Utf8, vectorFromArray } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

let store: string;
const TASK = 'Show/r1/make/0';

beforeAll(async () => {
  const scratch = scratchFolder();
  store = join(scratch, 'store');
  mkdirSync(join(scratch, 'site'));
  writeFileSync(join(scratch, 'site', 'notes.md'), '# Notes');
  writeFileSync(join(scratch, 'site', 'data.json'), '{"a":[1,2]}');
  await using flow = await FlowDataStore.open({ flowName: 'Show', storage: store });
  await flow.task({ runId: 'r1', stepName: 'make', taskId: '0' }, async (task) => {
    const batches = [0, 1, 2].flatMap((part) => {
      const id = Float64Array.from({ length: 1000 }, (_, row) => 1000 * part + row);
      const name = Array.from(id, (one) => `n${one % 7}`);
      return new Table({ id: vectorFromArray(id), name: vectorFromArray(name, new Utf8()) }).batches;
    });
    const frame = await task.frames.fromRows(
      Array.from({ length: 3000 }, (_, id) => ({ id: BigInt(id), at: new Date(id), price: id / 2 })),
      { rowGroupRows: 1000 } as object,
    );
    await task.saveArtifacts({
      model: { layers: [1, 2], name: 'm', big: 2n ** 70n },
      text: 'one\ntwo',
      report_md: '# Title',
      samples: Float64Array.from({ length: 200_000 }, (_, at) => (at === 7 ? Number.NaN : Math.sin(at))),
      losses: Array.from({ length: 150 }, (_, at) => 1 / (at + 1)),
      counts: BigInt64Array.of(1n, 2n ** 62n),
      rows: Array.from({ length: 300 }, (_, id) => ({ id, name: `n${id}` })),
      table: new Table(batches as never),
      frame,
      site: await task.directories.fromLocal(join(scratch, 'site')),
      icon: Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), noise(100)]),
      blob: noise(1000),
      outside: await task.files.remote('https://user.example/x.bin?signature=1'),
    });
  });
});

const preview = (artifact: string, ...more: string[]) => json(store, ['preview', TASK, artifact, ...more]);

describe('stowage preview', () => {
  it('shows values, text and Markdown', async () => {
    expect(await preview('model')).toMatchObject({
      path: `${TASK}/0`,
      name: 'model',
      kind: 'json',
      isWhole: true,
      value: {
        is: 'object',
        total: 3,
        members: [
          ['layers', { items: [1, 2] }],
          ['name', 'm'],
          ['big', { type: 'bigint' }],
        ],
      },
    });
    expect(await preview('text')).toMatchObject({ kind: 'text', text: 'one\ntwo', isWhole: true });
    expect(await preview('report_md')).toMatchObject({ kind: 'markdown', text: '# Title' });
  });

  it('loads no value of more than --max-bytes, and tells by what command it would', async () => {
    const { kind, note } = await preview('rows', '--max-bytes', '1kB');
    expect(kind).toBe('unshown');
    expect(note).toMatch(/^It takes .*; values beyond 1\.0 kB are not loaded here/);
    const [, command = ''] = /: stowage (.*)$/.exec(note) ?? [];
    expect((await json(store, command.split(' '))).kind).toBe('table');
    expect((await preview('samples', '--max-bytes', '1kB')).kind).toBe('numbers'); // in memory piece by piece
  });

  it('sums numbers up', async () => {
    const { numbers } = await preview('samples');
    expect(numbers).toMatchObject({ count: 200_000, dtype: 'float64', nans: 1, infinities: 0 });
    expect(numbers.line.x.length).toBe(1000);
    expect(numbers.histogram.counts.reduce((sum: number, one: number) => sum + one)).toBe(199_999);
    expect((await preview('losses')).numbers).toMatchObject({ count: 150, dtype: 'number', max: 1 });
    expect((await preview('counts')).numbers).toMatchObject({
      dtype: 'int64',
      min: 1,
      max: String(2n ** 62n),
    });
  });

  it.each(['rows', 'table', 'frame'])(
    'gives a page of the rows of %s, those that were asked for',
    async (artifact) => {
      const offset = artifact === 'rows' ? 150 : 1995;
      const { table, kind, isWhole } = await preview(artifact, '--offset', String(offset), '--limit', '10');
      expect(kind).toBe('table');
      expect(isWhole).toBe(false);
      expect(table).toMatchObject({
        offset,
        total: artifact === 'rows' ? 300 : 3000,
        columns: [{ name: 'id' }, {}].slice(0, 1).concat(table.columns.slice(1)),
      });
      expect(table.rows.map(([id]: number[]) => id)).toEqual(
        Array.from({ length: 10 }, (_, at) => offset + at),
      );
      const beyond = await preview(artifact, '--offset', '3000');
      expect(beyond.table.rows).toEqual([]);
    },
  );

  it('says times of a data frame exactly', async () => {
    const { table } = await preview('frame', '--offset', '1', '--limit', '1');
    expect(table.rows).toEqual([[1, '1970-01-01T00:00:00.001Z', 0.5]]);
    expect(table.columns).toMatchObject([
      { name: 'id', type: 'int64' },
      { type: 'timestamp(ms)' },
      { type: 'float64' },
    ]);
  });

  it('shows files of a directory, and one of them', async () => {
    const { directory } = await preview('site', '--limit', '1');
    expect(directory).toEqual({ entries: [{ path: 'data.json', bytes: 11 }], offset: 0, total: 2 });
    expect(await preview('site', '--entry', 'notes.md')).toMatchObject({
      kind: 'markdown',
      text: '# Notes',
      entry: 'notes.md',
      bytes: 7,
    });
    expect(await preview('site', '--entry', 'data.json')).toMatchObject({
      kind: 'json',
      mediaType: 'application/json',
    });
  });

  it('tells what bytes are, and asks for nothing outside of the store', async () => {
    expect(await preview('icon')).toMatchObject({ kind: 'image', mediaType: 'image/png' });
    expect(await preview('blob')).toMatchObject({ kind: 'bytes', isWhole: false });
    expect(await preview('outside')).toMatchObject({
      kind: 'elsewhere',
      reference: { uri: 'https://user.example/x.bin' },
    });
  });

  it('shows the same on a terminal, compactly', async () => {
    const { stdout: rows, stderr } = await stowage(store, ['preview', TASK, 'rows', '-n', '2']);
    expect(rows).toMatch(/^id\s+name\s*$/m);
    expect(rows).toMatch(/^1\s+n1\s*$/m);
    expect(stderr).toContain('rows 1 to 2 of 300; others: --offset <number>');
    const { stdout: numbers } = await stowage(store, ['preview', `${TASK}/samples`]);
    expect(numbers).toContain('200,000 of float64');
    const { stdout: model } = await stowage(store, ['preview', TASK, 'model']);
    expect(model).toContain('"big": 1180591620717411303424');
  });

  it('says what is wrong with a question', async () => {
    expect(await stowage(store, ['preview', TASK])).toMatchObject({ code: 2 });
    expect((await stowage(store, ['preview', TASK, 'modl'])).stderr).toContain('model');
    expect((await stowage(store, ['preview', TASK, 'model', '--entry', 'x'])).stderr).toContain(
      'is no directory',
    );
    expect((await stowage(store, ['preview', TASK, 'rows', '--offset', '-1'])).code).toBe(2);
  });
});
