import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
const code = join(folder, 'code');

beforeAll(async () => {
  mkdirSync(join(code, 'src'), { recursive: true });
  writeFileSync(join(code, 'main.ts'), 'run();');
  writeFileSync(join(code, 'src', 'step.ts'), 'export {};');
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.createRun({ runId: 'r1', code });
  await flow.createRun({ runId: 'bare' });
});

describe('stowage code', () => {
  it('lists the files that made a run', async () => {
    const { code: exit, stdout } = await stowage(store, ['code', 'Train/r1']);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^FILE +SIZE\nmain\.ts +6 B\nsrc\/step\.ts +10 B\n$/);
    const { files, ...facts } = await json(store, ['code', 'Train/r1']);
    expect(facts).toMatchObject({ flow: 'Train', run: 'r1', name: 'code', fileCount: 2, size: 16 });
    expect(files.map(({ path }: { path: string }) => path)).toEqual(['main.ts', 'src/step.ts']);
  });

  it('lists the files page by page', async () => {
    const first = await json(store, ['code', 'Train/r1', '-n', '1']);
    expect([first.files.map(({ path }: { path: string }) => path), first.next]).toEqual([['main.ts'], 1]);
    const second = await json(store, ['code', 'Train/r1', '-n', '1', '--offset', '1']);
    expect(second.files.map(({ path }: { path: string }) => path)).toEqual(['src/step.ts']);
    expect(second).not.toHaveProperty('next');
    const { stdout, stderr } = await stowage(store, ['code', 'Train/r1', '-n', '1']);
    expect(stdout).not.toContain('step.ts');
    expect(stderr).toBe('stowage: 1 more file: --offset 1\n');
    for (const wrong of [
      ['--offset', 'x'],
      ['-n', '0', '-o', join(folder, 'none')],
      ['--offset', '1', '-o', join(folder, 'none')],
    ])
      expect((await stowage(store, ['code', 'Train/r1', ...wrong])).code, wrong.join(' ')).toBe(2);
  });

  it('is told of by show and runs, as far as created.json does', async () => {
    const { digest } = await json(store, ['code', 'Train/r1']);
    const said = { name: 'code', digest, fileCount: 2, size: 16 };
    expect((await json(store, ['show', 'Train/r1'])).code).toEqual(said);
    const { stdout } = await stowage(store, ['show', 'Train/r1']);
    expect(stdout).toContain(`\ncode: code, 2 files, 16 B, ${digest.slice(0, 12)}\n`);
    const { runs } = await json(store, ['runs']);
    expect(runs.map(({ run, code: told }: { run: string; code: unknown }) => [run, told])).toEqual([
      ['bare', undefined],
      ['r1', said],
    ]);
  });

  it('-o writes them to a folder, which must be empty, or there is --force', async () => {
    const out = join(folder, 'out', 'deep');
    const { code: exit, stdout } = await stowage(store, ['code', 'Train/r', '-o', out]);
    expect([exit, stdout]).toEqual([0, `${out}: the code of Train/r1, 2 files, 16 B\n`]);
    expect(readFileSync(join(out, 'src', 'step.ts'), 'utf8')).toBe('export {};');
    writeFileSync(join(out, 'main.ts'), 'mine');
    const again = await stowage(store, ['code', 'Train/r1', '-o', out]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('not empty; --force')]);
    expect(readFileSync(join(out, 'main.ts'), 'utf8')).toBe('mine');
    writeFileSync(join(out, 'other'), 'stays');
    expect(await json(store, ['code', 'Train/r1', '-o', out, '--force'])).toMatchObject({ folder: out });
    expect(readFileSync(join(out, 'main.ts'), 'utf8')).toBe('run();');
    expect(readdirSync(out)).toContain('other');
    const file = await stowage(store, ['code', 'Train/r1', '-o', join(out, 'other')]);
    expect([file.code, file.stderr]).toEqual([1, expect.stringContaining('cannot be written')]);
  });

  it('says so where a run was made without, and where there is no such run', async () => {
    const bare = await stowage(store, ['code', 'Train/bare', '-o', join(folder, 'none')]);
    expect([bare.code, bare.stderr]).toEqual([1, expect.stringContaining('made without its code')]);
    expect(readdirSync(folder)).not.toContain('none');
    const missing = await stowage(store, ['code', 'Train/r9']);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('r9')]);
    expect((await stowage(store, ['code', 'Train'])).code).toBe(2);
    expect((await stowage(store, ['code', 'Train/r1/fit'])).code).toBe(2);
    expect((await stowage(store, ['code', 'Train/r1', '-o', ''])).code).toBe(2);
  });
});
