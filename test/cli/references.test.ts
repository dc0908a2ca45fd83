import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const TASK = 'Train/r1/load/0';
const folder = scratchFolder();
const store = join(folder, 'store');
const local = join(folder, 'local.csv');
const noise300 = noise(300_000, 3);
let parquet: Buffer;

beforeAll(async () => {
  mkdirSync(join(folder, 'tree/sub'), { recursive: true });
  writeFileSync(join(folder, 'tree/a.txt'), 'a');
  writeFileSync(join(folder, 'tree/sub/b.txt'), 'bb');
  writeFileSync(local, 'id\n1\n');
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.task({ runId: 'r1', stepName: 'load', taskId: '0' }, async (task) => {
    const frame = await task.frames.fromRows([{ id: 1 }]);
    parquet = Buffer.from(await frame.file.bytes());
    await task.saveArtifacts({
      rows: await task.files.fromData('x.csv', 'id,auc\n1,2', { mediaType: 'text/csv' }),
      blob: await task.files.fromData('blob', noise300),
      tree: await task.directories.fromLocal(join(folder, 'tree')),
      frame,
      far: await task.files.remote('https://user.example/far.csv?signature=secret'),
      untrusted: await task.files.remote('nowhere://host/folder/x.bin'),
      local: await task.files.existing(local),
      text: 'a text',
    });
  });
});

describe('references are shown', () => {
  it.each([
    ['show', TASK],
    ['ls', `${TASK}/0`],
  ])('%s tells the file, and not the value that names it', async (...args) => {
    const { code, stdout } = await stowage(store, args, { columns: 200 });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ARTIFACT +TYPE +REFERS TO +SIZE/m);
    expect(stdout).toMatch(/^rows +FileRef +x\.csv, 10 B /m);
    expect(stdout).toMatch(/^tree +DirectoryRef +tree, 2 files, 3 B /m);
    expect(stdout).toMatch(/^frame +DataFrameRef +data\.parquet, /m);
    expect(stdout).toMatch(/^far +FileRef +far\.csv, at https:\/\/user\.example\/far\.csv /m);
    expect(stdout).not.toContain('secret');
  });

  it('as JSON they are members of their artifacts', async () => {
    const { entries } = await json(store, ['ls', `${TASK}/0`]);
    const references = Object.fromEntries(
      entries.map(({ name, reference }: { name: string; reference: object }) => [name, reference]),
    );
    expect(references.rows).toMatchObject({ kind: 'file', name: 'x.csv', size: 10, mediaType: 'text/csv' });
    expect(references.tree).toMatchObject({ kind: 'directory', name: 'tree', fileCount: 2, size: 3 });
    expect(references.frame).toMatchObject({ kind: 'frame', size: parquet.length });
    expect(references.far).toMatchObject({ uri: 'https://user.example/far.csv' });
    expect(references.text).toBe(undefined);
  });

  it('no column is there where nothing is a reference', async () => {
    await using flow = await FlowDataStore.open({ flowName: 'Plain', storage: store });
    await flow.task({ runId: 'r1', stepName: 'a', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
    const { stdout } = await stowage(store, ['ls', 'Plain/r1/a/0/0']);
    expect(stdout).toMatch(/^x +number /m);
    expect(stdout).not.toContain('REFERS TO');
  });
});

describe('get of a reference', () => {
  it('writes the bytes of a file, and of a data frame its Parquet', async () => {
    expect((await stowage(store, ['get', `${TASK}/rows`])).stdout).toBe('id,auc\n1,2');
    const target = join(folder, 'out.bin');
    expect(await stowage(store, ['get', TASK, 'blob', '-o', target])).toMatchObject({ code: 0, stdout: '' });
    expect(Buffer.compare(readFileSync(target), noise300)).toBe(0);
    expect((await stowage(store, ['get', TASK, 'frame'])).bytes).toEqual(parquet);
  });

  it('takes text for what is UTF-8 alone', async () => {
    expect((await stowage(store, ['get', TASK, 'rows', '--format', 'text'])).stdout).toBe('id,auc\n1,2');
    const blob = await stowage(store, ['get', TASK, 'blob', '--format', 'text']);
    expect(blob.code).toBe(1);
    expect(blob.stderr).toContain('not text but bytes that are not UTF-8');
  });

  it('--format json and --json: what is known of it', async () => {
    const { stdout } = await stowage(store, ['get', TASK, 'rows', '--format', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'file', name: 'x.csv', size: 10 });
    const tree = await json(store, ['get', TASK, 'tree']);
    expect(tree.value).toMatchObject({ kind: 'directory', name: 'tree', fileCount: 2 });
  });

  it('writes a directory to a folder, and asks for one', async () => {
    for (const args of [[], ['-o', '-']]) {
      const asked = await stowage(store, ['get', TASK, 'tree', ...args]);
      expect(asked).toMatchObject({ code: 2, stdout: '' });
      expect(asked.stderr).toContain('tree is a directory of 2 files');
      expect(asked.stderr).toContain('-o <folder>');
    }
    const target = join(folder, 'restored');
    expect((await stowage(store, ['get', TASK, 'tree', '-o', target])).code).toBe(0);
    expect(readFileSync(join(target, 'sub/b.txt'), 'utf8')).toBe('bb');
  });

  it('replaces no file of a folder without --force', async () => {
    const target = join(folder, 'taken');
    mkdirSync(target);
    writeFileSync(join(target, 'a.txt'), 'mine');
    const refused = await stowage(store, ['get', TASK, 'tree', '-o', target]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/a\.txt cannot be written: it exists already; --force replaces it/);
    expect(readdirSync(target)).toEqual(['a.txt']);
    expect((await stowage(store, ['get', TASK, 'tree', '-o', target, '--force'])).code).toBe(0);
    expect(readFileSync(join(target, 'a.txt'), 'utf8')).toBe('a');
  });

  it('-d: each under the name of its artifact, with the ending of its file', async () => {
    const target = join(folder, 'all');
    const names = ['rows', 'blob', 'tree', 'frame', 'text'];
    const { files } = await json(store, ['get', TASK, ...names, '-d', target]);
    expect(readdirSync(target).sort()).toEqual(['blob.bin', 'frame.parquet', 'rows.csv', 'text.txt', 'tree']);
    expect(readFileSync(join(target, 'tree/a.txt'), 'utf8')).toBe('a');
    expect(files).toContainEqual({ artifact: 'tree', form: 'file', file: join(target, 'tree'), bytes: 3 });
    expect((await stowage(store, ['get', TASK, 'tree', '-d', target])).stderr).toContain('exists already');
  });

  it('opens no address that the store names where a place of it would not be opened', async () => {
    const { code, stdout, stderr } = await stowage(store, ['get', TASK, 'untrusted']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('It is not opened: whoever wrote the store chose that address');
  });

  it('reads a file that was referenced where it is, unless it was changed, and then leaves nothing', async () => {
    expect((await stowage(store, ['get', TASK, 'local'])).stdout).toBe('id\n1\n');
    writeFileSync(local, 'id\n1\n2\n');
    const target = join(folder, 'changed.csv');
    const changed = await stowage(store, ['get', TASK, 'local', '-o', target]);
    expect(changed.code).not.toBe(0);
    expect(changed.stderr).toContain('was changed');
    expect(existsSync(target)).toBe(false);
  });
});
