import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Progress } from '../../src/async/progress.ts';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { StowageError } from '../../src/errors.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { encodeRecord } from '../../src/format/record.ts';
import type { RunCode } from '../../src/format/run-records.ts';
import { collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { ObservedStorage } from '../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, scratchFolder } from './fixtures.ts';

const SOURCES: Record<string, string | Uint8Array> = {
  'main.ts': 'await run();',
  'src/steps.ts': 'export const steps = [];',
  'src/[odd] name!.ts': '// odd',
  'data/table.bin': noise(400_000),
  '.gitignore': 'dist/\n*.log\n',
  '.stowageignore': 'notes.txt\n',
};
const LEFT_OUT = {
  'dist/main.js': 'built',
  'src/run.log': 'logged',
  'notes.txt': 'mine',
  'node_modules/left/index.js': 'theirs',
  'packages/a/node_modules/b.js': 'theirs',
  '.git/HEAD': 'ref',
};
const isContent = (name: string): boolean => /^(data|manifests|packs|plain)\//.test(name);

function project(files: Record<string, string | Uint8Array> = { ...SOURCES, ...LEFT_OUT }): string {
  const root = join(scratchFolder(), 'project');
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
  return root;
}

async function pathsOf(flow: FlowDataStore, runId = 'r1'): Promise<string[] | undefined> {
  const code = await flow.run(runId).code();
  return (await code?.files())?.map(({ path }) => path);
}

async function expectRestored(flow: FlowDataStore, runId = 'r1'): Promise<void> {
  const code = await flow.run(runId).code();
  const folder = await code?.download(join(scratchFolder(), 'restored'));
  for (const [path, bytes] of Object.entries(SOURCES))
    expect(readFileSync(join(folder as string, path)).equals(Buffer.from(bytes as string))).toBe(true);
}

async function codeOf(flow: FlowDataStore, runId = 'r1'): Promise<RunCode> {
  return (await flow.run(runId).info()).code as RunCode;
}

async function collect(storage: DataStoreStorage): Promise<void> {
  const content = new ContentAddressedStore(storage);
  await collectGarbage(content);
  await content.close();
}

describe.each([
  ['in memory', async (): Promise<FlowDataStore> => openFlow()],
  ['in a folder', async (): Promise<FlowDataStore> => openFlow({ storage: join(scratchFolder(), 'store') })],
])('the code of a run, %s', (_where, open) => {
  it('tells how far it is kept', async () => {
    const flow = await openFlow();
    const seen: Progress[] = [];
    await flow.createRun({ runId: 'r1', code: project(), onProgress: (progress) => seen.push(progress) });
    const files = Object.keys(SOURCES).length;
    const bytes = Object.values(SOURCES).reduce((sum, content) => sum + Buffer.byteLength(content), 0);
    expect(seen.at(-1)).toMatchObject({
      bytesDone: bytes,
      bytesTotal: bytes,
      itemsDone: files,
      itemsTotal: files,
    });
    await flow.createRun({ runId: 'bare', onProgress: (progress) => seen.push(progress) });
    const wrong = { runId: 'r2', onProgress: 1 as never };
    await errorOf(flow.createRun(wrong), 'INVALID_ARGUMENT');
  });

  it('is kept without what ignore files, and the defaults, leave out, and restored as it was', async () => {
    const flow = await open();
    const root = project();
    chmodSync(join(root, 'main.ts'), 0o755);
    const run = await flow.createRun({ runId: 'r1', code: pathToFileURL(root) });
    expect(await pathsOf(flow)).toEqual(Object.keys(SOURCES).sort());
    await expectRestored(flow);
    const code = await run.code();
    expect([code?.name, await codeOf(flow)]).toMatchObject([
      'project',
      { name: 'project', files: 6, entries: code?.digest, size: code?.size },
    ]);
    const folder = await code?.download(join(scratchFolder(), 'down'));
    expect(statSync(join(folder as string, 'main.ts')).mode & 0o100).toBe(0o100);
    expect(existsSync(join(folder as string, 'node_modules'))).toBe(false);
  });

  it('is nothing where none was given', async () => {
    const flow = await open();
    const run = await flow.createRun({ runId: 'r1' });
    expect(await run.code()).toBeUndefined();
    expect(await run.info()).not.toHaveProperty('code');
    await errorOf(flow.run('r2').code(), 'RUN_NOT_FOUND');
  });

  it('is stored once, however many runs it makes', async () => {
    const flow = await open();
    const root = project();
    await flow.createRun({ runId: 'r1', code: root });
    const before = (await objectNames(flow.storage)).filter(isContent);
    await flow.createRun({ runId: 'r2', code: root });
    expect((await objectNames(flow.storage)).filter(isContent)).toEqual(before);
    expect((await flow.run('r2').code())?.digest).toBe((await flow.run('r1').code())?.digest);
    // Each is kept by a session of its own.
    await flow.caStore.release((await codeOf(flow)).session);
    await collect(flow.storage);
    await expectRestored(flow, 'r2');
  });

  it('outlives collections, and goes once its session is released', async () => {
    const flow = await open();
    await flow.createRun({ runId: 'r1', code: project() });
    await collect(flow.storage);
    await expectRestored(flow);
    const { session } = await codeOf(flow);
    await flow.caStore.release(session);
    await collect(flow.storage);
    expect((await objectNames(flow.storage)).filter(isContent)).toEqual([]);
    expect((await errorOf(flow.run('r1').code(), 'CONTENT_PURGED')).details).toMatchObject({ session });
  });
});

describe('what is taken of a folder', () => {
  it('is never the store itself, nor where its content goes', async () => {
    const root = project({ 'main.ts': 'x' });
    const flow = await openFlow({ storage: join(root, 'out', 'the [store]!') });
    await flow.createRun({ runId: 'r1', code: root, rawDataPath: join(root, 'raw') });
    await flow.createRun({ runId: 'r2', code: root, rawDataPath: join(root, 'raw') });
    expect(await pathsOf(flow, 'r2')).toEqual(['main.ts']);
    await errorOf(
      flow.createRun({ runId: 'r3', code: join(root, 'out', 'the [store]!') }),
      'INVALID_ARGUMENT',
    );
    const through = join(scratchFolder(), 'link');
    symlinkSync(root, through);
    await flow.createRun({ runId: 'r4', code: through, rawDataPath: join(root, 'raw') });
    expect(await pathsOf(flow, 'r4')).toEqual(['main.ts']);
  });

  it('is what options say, which can take in again what defaults leave out', async () => {
    const flow = await openFlow();
    const path = project();
    const only = { path, include: ['*.ts'], exclude: ['/src/'] };
    await flow.createRun({ runId: 'r1', code: only });
    expect(await pathsOf(flow)).toEqual(['main.ts']);
    await flow.createRun({
      runId: 'r2',
      code: { path, exclude: ['!node_modules', 'data'], ignoreFiles: [] },
    });
    const taken = await pathsOf(flow, 'r2');
    expect(taken).toEqual(
      expect.arrayContaining(['node_modules/left/index.js', 'dist/main.js', 'notes.txt']),
    );
    expect(taken).not.toContain('data/table.bin');
  });

  it('may be no file at all', async () => {
    const flow = await openFlow();
    const root = join(scratchFolder(), 'empty');
    mkdirSync(root);
    await flow.createRun({ runId: 'r1', code: root });
    expect(await pathsOf(flow)).toEqual([]);
  });
});

describe('a run whose code cannot be kept', () => {
  it('is not made, and no session stays that keeps anything', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const leading = project({ 'main.ts': 'x' });
    symlinkSync(scratchFolder(), join(leading, 'out'));
    for (const [code, why] of [
      [join(leading, 'none'), 'REFERENCE_NOT_FOUND'],
      [join(leading, 'main.ts'), 'REFERENCE_UNREADABLE'],
      [leading, 'INVALID_ARGUMENT'],
      ['', 'INVALID_ARGUMENT'],
      [{}, 'INVALID_ARGUMENT'],
      [7, 'INVALID_ARGUMENT'],
      [null, 'INVALID_ARGUMENT'],
      [{ path: leading, excludes: [] }, 'INVALID_ARGUMENT'],
      [{ path: leading, exclude: 'out' }, 'INVALID_ARGUMENT'],
    ] as const)
      await errorOf(flow.createRun({ runId: 'r1', code: code as never }), why);
    const aborted = { runId: 'r1', code: project(), signal: AbortSignal.abort() };
    await errorOf(flow.createRun(aborted), 'ABORTED');
    const many = { runId: 'r1', code: project(), tags: ['x'.repeat(5 * 1024 * 1024)] };
    await errorOf(flow.createRun(many), 'INVALID_ARGUMENT');
    expect(await objectNames(storage, 'runs/')).toEqual([]);
    await collect(storage);
    expect((await objectNames(storage)).filter(isContent)).toEqual([]);
    await flow.createRun({ runId: 'r1', code: project() });
    await expectRestored(flow);
  });

  it('because the store takes no more is not made either', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    storage.before = (operation, name) => {
      if (operation === 'create' && name.endsWith('.DONE'))
        throw new StowageError('STORAGE_FULL', 'The disk is full.');
    };
    await errorOf(flow.createRun({ runId: 'r1', code: project() }), 'STORAGE_FULL');
    expect(await objectNames(storage, 'runs/')).toEqual([]);
  });

  it('since there is one of its id, keeps nothing', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await flow.createRun({ runId: 'r1' });
    const before = await objectNames(storage);
    await errorOf(flow.createRun({ runId: 'r1', code: project() }), 'RUN_EXISTS');
    expect(await objectNames(storage)).toEqual(before);
  });

  it('since another process makes it at the same time, releases what it kept', async () => {
    const inner = new MemoryStorage();
    const storage = new ObservedStorage(inner);
    const [flow, other] = [await openFlow({ storage }), await openFlow({ storage: inner })];
    const [mine, theirs] = [project({ 'a.ts': 'mine' }), project({ 'b.ts': 'theirs' })];
    storage.before = async (operation, name) => {
      if (operation !== 'create' || name !== 'runs/Test/r1/created.json') return;
      storage.before = () => {};
      await other.createRun({ runId: 'r1', code: theirs });
    };
    await errorOf(flow.createRun({ runId: 'r1', code: mine }), 'RUN_EXISTS');
    expect(await pathsOf(flow)).toEqual(['b.ts']);
    const loose = await objectNames(inner, 'loose/');
    const { session } = await codeOf(other);
    const released = loose.filter((name) => name.endsWith('.DELETED'));
    expect(released).toHaveLength(1);
    expect(released).not.toContain(`loose/${session}.DELETED`);
    await collect(inner);
    expect(await (await (await other.run('r1').code())?.get('b.ts'))?.text()).toBe('theirs');
  });
});

describe('a copy', () => {
  it.each([
    ['of the run', { flowName: 'Test', runId: 'r1' }],
    ['of the store', {}],
  ])('%s takes the code along, from wherever it lies, and keeps it', async (_what, selection) => {
    const from = new MemoryStorage();
    const flow = await openFlow({ storage: from });
    const rawDataPath = join(scratchFolder(), 'raw');
    await flow.createRun({ runId: 'r1', code: project(), rawDataPath });
    const to = new MemoryStorage();
    const dry = await copyStore({ from, to, ...selection, dryRun: true });
    expect([dry.sessions.copied, await objectNames(to)]).toEqual([1, []]);
    const copied = await copyStore({ from, to, ...selection });
    expect([copied.problems, copied.sessions.copied, copied.sessions.present]).toEqual([[], 1, 0]);
    const again = await copyStore({ from, to, ...selection });
    expect([again.problems, again.sessions.copied]).toEqual([[], 0]);
    await collect(to);
    const target = await openFlow({ storage: to });
    await expectRestored(target);
    expect(await codeOf(target)).toEqual(await codeOf(flow));
  });

  it('that ends at any write names no code that is not there, and the next goes on with it', async () => {
    const from = new MemoryStorage();
    const flow = await openFlow({ storage: from });
    await flow.createRun({ runId: 'r1', code: project({ 'a.ts': 'x', 'b.bin': noise(300_000) }) });
    const { session } = await codeOf(flow);
    for (let writes = 0, isWhole = false; !isWhole; writes++) {
      const inner = new MemoryStorage();
      const to = new ObservedStorage(inner);
      let left = writes;
      to.before = (operation) => {
        if (operation === 'create' && left-- <= 0)
          throw new StowageError('STORAGE_UNAVAILABLE', 'The target does not answer.');
      };
      isWhole = await copyStore({ from, to }).then(
        () => true,
        () => false,
      );
      const names = await objectNames(inner);
      if (names.includes('runs/Test/r1/created.json')) expect(names).toContain(`loose/${session}.DONE`);
      expect((await copyStore({ from, to: inner })).problems).toEqual([]);
      expect(await pathsOf(await openFlow({ storage: inner }))).toEqual(['a.ts', 'b.bin']);
    }
  });

  it('of a run whose code was released says so there, too', async () => {
    const from = new MemoryStorage();
    const flow = await openFlow({ storage: from });
    await flow.createRun({ runId: 'r1', code: project() });
    await flow.caStore.release((await codeOf(flow)).session);
    const to = new MemoryStorage();
    expect((await copyStore({ from, to })).problems).toEqual([]);
    await errorOf((await openFlow({ storage: to })).run('r1').code(), 'CONTENT_PURGED');
  });

  it('makes no run whose code it cannot copy, until that was released', async () => {
    const from = new MemoryStorage();
    const flow = await openFlow({ storage: from });
    await flow.createRun({ runId: 'r1', code: project({ 'a.bin': noise(400_000) }) });
    await from.delete((await objectNames(from)).filter((name) => name.startsWith('packs/')));
    const to = new MemoryStorage();
    const { session } = await codeOf(flow);
    const { problems } = await copyStore({ from, to });
    expect(problems.map(({ path, kind }) => [path, kind])).toEqual([
      [`loose/${session}`, 'failed'],
      ['Test/r1', 'failed'],
    ]);
    expect(await objectNames(to, 'runs/')).toEqual([]);
    await flow.caStore.release(session);
    expect((await copyStore({ from, to })).problems).toEqual([]);
    expect((await objectNames(to, 'runs/Test/r1/')).length).toBeGreaterThan(0);
  });
});

it('of a record that is damaged is an error', async () => {
  const storage = new MemoryStorage();
  const flow = await openFlow({ storage });
  await flow.createRun({ runId: 'r1', code: project() });
  const code = await codeOf(flow);
  const record = {
    format: 1,
    kind: 'run',
    session: code.session,
    flow: 'Test',
    tags: [],
    parameters: {},
    parents: [],
  };
  const makeRun = async (run: string, wrong: object): Promise<void> => {
    const createdAt = new Date().toISOString();
    const body = encodeRecord({ ...record, run, createdAt, code: { ...code, ...wrong } });
    await storage.create(`runs/Test/${run}/created.json`, body);
  };
  const wrongs = [
    { session: '../../x' },
    { listing: 'none' },
    { entries: 7 },
    { files: -1 },
    { size: '1' },
    { listing: '0'.repeat(64) },
    { name: 'a/b' },
  ];
  for (const [index, wrong] of wrongs.entries()) {
    await makeRun(`wrong-${index}`, wrong);
    await errorOf(flow.run(`wrong-${index}`).code(), 'RECORD_DAMAGED');
  }
  await makeRun('fewer', { files: 1 });
  await errorOf(async () => (await flow.run('fewer').code())?.files(), 'CONTENT_DAMAGED');
});
