import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeRecord } from '../../src/codec/record.ts';
import { FlowDataStore } from '../../src/flow/flow-data-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask, scratchFolder } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const HOSTILE = [
  '',
  '.',
  '..',
  'a/b',
  'a\\b',
  'a\0b',
  'x'.repeat(300),
  'a\nb',
  '\ud800',
  'e\u0301',
  7,
  null,
  undefined,
];

describe('hostile names', () => {
  it.each(HOSTILE)('%j is refused wherever a name goes, and leaves no trace', async (name) => {
    const storage = new MemoryStorage();
    const bad = name as string;
    await errorOf(FlowDataStore.open({ flowName: bad, storage }), 'INVALID_NAME');
    const flow = await FlowDataStore.open({ flowName: 'Test', storage });
    await errorOf(flow.createTaskDataStore({ ...spec, stepName: bad }), 'INVALID_NAME');
    await errorOf(flow.createTaskDataStore({ ...spec, taskId: bad }), 'INVALID_NAME');
    await errorOf(flow.createTaskDataStore({ ...spec, runId: bad }), 'INVALID_NAME');
    if (name !== undefined) await errorOf(flow.createRun({ runId: bad }), 'INVALID_NAME');
    expect(await objectNames(storage)).toEqual([]);
    const task = await flow.createTaskDataStore(spec);
    const before = await objectNames(storage);
    await errorOf(task.saveArtifacts({ fine: noise(20_000), [bad]: 1 }), 'INVALID_NAME').catch((error) => {
      // As keys of an object some of these are text that is a fine name: "7", "null", "undefined".
      if (typeof name === 'string') throw error;
    });
    if (typeof name === 'string') expect(await objectNames(storage)).toEqual(before);
    await task.done();
  });

  it.each(['r1', 'Test/r1/fit', '', undefined])('tells that %j is no parent of a run', async (parent) => {
    const flow = await openFlow();
    const parents = [parent as string];
    const error = await errorOf(flow.createRun({ runId: 'r2', parents }), 'INVALID_ARGUMENT');
    expect(error.message).toBe(`The parent ${JSON.stringify(parent)} is not <flow>/<run>.`);
  });

  it.each([
    [7, "The task id must be a string, not the number 7; pass '7'."],
    [undefined, 'The task id must be a string, not undefined.'],
    [null, 'The task id must be a string, not null.'],
    [['a'], 'The task id must be a string, not an array.'],
    [{}, 'The task id must be a string, not an object.'],
    [true, 'The task id must be a string, not a boolean.'],
  ])('tells of %j that it is no string', async (taskId, message) => {
    const flow = await openFlow();
    const bad = flow.createTaskDataStore({ ...spec, taskId: taskId as string });
    expect((await errorOf(bad, 'INVALID_NAME')).message).toBe(message);
  });

  it('tells what is wrong with a pathspec', async () => {
    const flow = await openFlow();
    await saveTask(flow, {});
    for (const bad of [
      'r1/fit',
      'r1',
      '',
      'Test/r1/fit/0/x',
      'r1/fit/0/-1',
      'r1/fit/0/01',
      'r1/fit/0/0/0',
      5 as never,
    ]) {
      const error = await errorOf(flow.getTaskDataStore(bad), 'INVALID_PATHSPEC');
      expect(error.message).toContain('<run>/<step>/<task>');
    }
    await errorOf(flow.getTaskDataStore('r1/../0'), 'INVALID_NAME');
    expect((await errorOf(flow.getTaskDataStore('Test/r1/fit/0'), 'TASK_NOT_FOUND')).message).toContain(
      'without the name of the flow',
    );
  });
});

describe('values that cannot be saved', () => {
  it('name the path inside the value, and nothing of the call is written', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const before = await objectNames(flow.storage);
    const values = { fine: noise(20_000), model: { layers: [1, { activation: () => 1 }] } };
    const error = await errorOf(task.saveArtifacts(values), 'UNSERIALIZABLE_ARTIFACT');
    expect(error.message).toContain('model.layers[1].activation');
    expect(await objectNames(flow.storage)).toEqual(before);
    for (const bad of [null, 7, 'x', [1]])
      await errorOf(task.saveArtifacts(bad as never), 'INVALID_ARGUMENT');
    await task.done();
    expect((await flow.getTaskDataStore('r1/fit/0')).names()).toEqual([]);
  });

  it('a storage that fails half way names nothing of the call', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const controller = new AbortController();
    const values = { inline: 1, small: noise(20_000), large: noise(3_000_000) };
    const save = task.saveArtifacts(values, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await errorOf(save, 'ABORTED');
    await task.saveArtifacts({ after: 1 });
    await task.done();
    expect((await flow.getTaskDataStore('r1/fit/0')).names()).toEqual(['after']);
  });
});

describe('stores that cannot be used', () => {
  it('a path without a store says so, and nothing is created', async () => {
    const folder = join(scratchFolder(), 'nothing', 'here');
    const flow = await openFlow({ storage: folder });
    for (const read of [
      flow.getTaskDataStore('r1/fit/0'),
      flow.getTaskDataStores({ runId: 'r1' }),
      flow.runs(),
      flow.latestRun(),
    ]) {
      expect((await errorOf(read, 'NO_SUCH_STORE')).message).toContain('here');
    }
    expect(existsSync(folder)).toBe(false);
  });

  it('a store of a newer format is neither read nor written', async () => {
    const storage = new MemoryStorage();
    await storage.create('stowage.json', encodeRecord({ format: 2, kind: 'store', anything: 'else' }));
    const flow = await FlowDataStore.open({ flowName: 'Test', storage });
    expect((await errorOf(flow.runs(), 'UNSUPPORTED_FORMAT')).message).toMatch(/upgrade/i);
    await errorOf(flow.createTaskDataStore(spec), 'UNSUPPORTED_FORMAT');
    expect(await objectNames(storage)).toEqual(['stowage.json']);
  });

  it.each(['', '{}', 'not json', '{"format":1,"kind":"store","digest":"00"}'])(
    'a stowage.json of %j is not taken for a store',
    async (text) => {
      const storage = new MemoryStorage();
      await storage.create('stowage.json', Buffer.from(text));
      const flow = await FlowDataStore.open({ flowName: 'Test', storage });
      await errorOf(flow.runs(), 'NOT_A_STORE');
      await errorOf(flow.createTaskDataStore(spec), 'NOT_A_STORE');
    },
  );

  it.each([
    { compression: 'gzip' },
    { compression: { codec: 'zstd', level: 99 } },
    { maxInlineBytes: -1 },
    { storage: 'ftp://x/y' },
  ])('wrong options are told: %j', async (options) => {
    const error = await errorOf(
      FlowDataStore.open({ flowName: 'Test', storage: 'memory:', ...(options as object) }),
    );
    expect(['INVALID_ARGUMENT', 'UNKNOWN_STORAGE_SCHEME']).toContain(error.code);
  });
});

/** Runs a script that uses the built package; as another user, where that is possible. */
function runScript(script: string, args: string[], uid?: number): string {
  const index = join(import.meta.dirname, '../../dist/index.js');
  const code = `import { FlowDataStore } from ${JSON.stringify(index)};\nconst [path] = process.argv.slice(1);\n${script}`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', code, ...args], {
    encoding: 'utf8',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return result.stdout + result.stderr;
}

const SAVE = `
const flow = await FlowDataStore.open({ flowName: 'Test', storage: path });
const save = (taskId, bytes) => flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ blob: Buffer.alloc(bytes).map(() => Math.random() * 256) }));
const tell = (error) => console.log(error.name, error.code, error.message);
`;

describe.skipIf(process.platform === 'win32')(
  'a folder without write permission, as a user who is not root',
  () => {
    const isRoot = process.getuid?.() === 0;
    /** Root may write everywhere, so that somebody else tries; anybody else takes the permission from themselves. */
    const nobody = isRoot ? 65_534 : undefined;

    it('can be read, and is refused for writing by a typed error', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'stowage-test-'));
      try {
        chmodSync(folder, 0o755);
        const flow = await openFlow({ storage: join(folder, 'store') });
        await saveTask(flow, { blob: noise(20_000) });
        if (!isRoot) execFileSync('chmod', ['-R', 'a-w', folder]);
        const output = runScript(
          `${SAVE} await save('1', 20000).catch(tell); const task = await flow.getTaskDataStore('r1/fit/0'); console.log((await task.get('blob')).length);`,
          [join(folder, 'store')],
          nobody,
        );
        expect(output).toMatch(/StowageError STORAGE_NOT_PERMITTED .*may not do that there/);
        expect(output).toMatch(/^20000$/m);
        expect(
          runScript(`${SAVE} await save('1', 20000).catch(tell);`, [join(folder, 'other')], nobody),
        ).toMatch(/STORAGE_NOT_PERMITTED/);
        expect(readdirSync(folder)).toEqual(['store']);
      } finally {
        if (!isRoot) execFileSync('chmod', ['-R', 'u+w', folder]);
        rmSync(folder, { recursive: true, force: true });
      }
    });
  },
);

describe.runIf(canMount())('a full disk', () => {
  it('gives a typed error, closes nothing, and works again once there is room', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stowage-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
    try {
      mkdirSync(join(folder, 'ballast'));
      const flow = await openFlow({ storage: join(folder, 'store') });
      await saveTask(flow, { blob: noise(20_000) });
      writeFileSync(join(folder, 'ballast', 'file'), noise(800_000));
      const error = await errorOf(
        saveTask(flow, { blob: noise(400_000, 2) }, { taskId: '1' }),
        'STORAGE_FULL',
      );
      expect(error.message).toMatch(/full|space/i);
      expect((await flow.getTaskDataStores({ runId: 'r1' })).map((task) => task.taskId)).toEqual(['0']);
      rmSync(join(folder, 'ballast'), { recursive: true });
      await saveTask(flow, { blob: noise(400_000, 2) }, { taskId: '1' });
      expect(
        Buffer.compare(await (await flow.getTaskDataStore('r1/fit/1')).get('blob'), noise(400_000, 2)),
      ).toBe(0);
      expect(readdirSync(join(folder, 'store', 'tmp'))).toEqual([]);
    } finally {
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'stowage-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0;
  if (mounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true, force: true });
  if (!mounted)
    console.warn('NOT TESTED here: a full disk (this machine does not let the tests mount a tmpfs)');
  return mounted;
}
