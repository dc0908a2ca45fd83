import { describe, expect, it } from 'vitest';
import { isStowageError, type StowageErrorCode } from '../../src/errors.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { errorOf, noise, objectNames, openFlow, readIncomplete, saveTask } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

/** What JavaScript lets people pass, though TypeScript does not. */
// biome-ignore lint/suspicious/noExplicitAny: the types are what is left out here
type Untyped = any;

describe('a task that is being written', () => {
  it.each(['loadArtifacts', 'get', 'names', 'loadTyped', 'artifacts', 'loadMetadata', 'loadLogs'])(
    'says of %s how it is read',
    async (call) => {
      const flow = await openFlow();
      await flow.task(spec, async (task: Untyped) => {
        const error = await errorOf(async () => task[call](['a']), 'INVALID_ARGUMENT');
        expect(error.message).toContain('flow.getTaskDataStore("r1/fit/0/0")');
      });
    },
  );
});

describe('misuse gets a typed error', () => {
  it.each<[string, (flow: Untyped) => Promise<unknown>, StowageErrorCode]>([
    ['a task without a spec', (flow) => flow.task(), 'INVALID_ARGUMENT'],
    ['a task without work', (flow) => flow.task(spec), 'INVALID_ARGUMENT'],
    ['a number for a name', (flow) => flow.createTaskDataStore({ ...spec, taskId: 7 }), 'INVALID_NAME'],
    [
      'steps that are no list',
      (flow) => flow.getTaskDataStores({ runId: 'r1', steps: 'fit' }),
      'INVALID_ARGUMENT',
    ],
    ['an attempt twice', (flow) => flow.getTaskDataStore('r1/fit/0/0', { attempt: 3 }), 'INVALID_ARGUMENT'],
    [
      'an attempt that is no number',
      (flow) => flow.getTaskDataStore('r1/fit/0', { attempt: '0' }),
      'INVALID_ARGUMENT',
    ],
    ['a date for options', (flow) => flow.createRun(new Date()), 'INVALID_ARGUMENT'],
    ['a map for options', (flow) => flow.runs(new Map()), 'INVALID_ARGUMENT'],
    [
      'a list for the name of an artifact',
      async (flow) => (await flow.getTaskDataStore('r1/fit/0')).get(['a']),
      'INVALID_ARGUMENT',
    ],
    ['files that are none', (flow) => flow.saveData([null]), 'INVALID_ARGUMENT'],
    ['keys that are no list', (flow) => flow.loadData('ab'.repeat(32)).next(), 'INVALID_ARGUMENT'],
    ['no tasks for a set', (flow) => flow.getTaskDataStoreSet(), 'INVALID_ARGUMENT'],
    ['steps of an unknown run', (flow) => flow.run('nobody').steps(), 'RUN_NOT_FOUND'],
  ])('%s', async (_, call, code) => {
    const flow = await openFlow();
    await saveTask(flow, {});
    const before = await objectNames(flow.storage);
    await errorOf(() => call(flow), code);
    expect((await objectNames(flow.storage)).filter((name) => !name.startsWith('loose/'))).toEqual(before);
  });

  it.each<[string, (flow: Untyped) => Promise<unknown>, string]>([
    ['reading', (flow) => flow.getTaskDataStore('r1/fit/0', { attempt: '1' }), ", or 'latestDone'"],
    ['writing', (flow) => flow.createTaskDataStore({ ...spec, attempt: '1' }), ''],
  ])('%s: the number of an attempt as text is told from the number', async (_, call, orElse) => {
    const flow = await openFlow();
    const { message } = await errorOf(() => call(flow), 'INVALID_ARGUMENT');
    expect(message).toBe(`The attempt "1" is a string; attempts are the integers from 0 on${orElse}.`);
  });

  it.each<[string, Untyped]>([
    ['no options', undefined],
    ['a misspelt option', { flowName: 'Test', storge: './elsewhere' }],
    ['a number for a storage', { flowName: 'Test', storage: 5 }],
    ['null for a storage', { flowName: 'Test', storage: null }],
    ['an object for a storage', { flowName: 'Test', storage: {} }],
    ['text for verifyHits', { flowName: 'Test', storage: 'memory:', verifyHits: 'no' }],
  ])('FlowDataStore.open: %s', async (_, options) => {
    await errorOf(FlowDataStore.open(options), 'INVALID_ARGUMENT');
  });

  it('an open task', async () => {
    const flow = await openFlow();
    const task: Untyped = await flow.createTaskDataStore(spec);
    for (const artifacts of [
      new Set([1]),
      [1],
      new Map([[1, 2]]),
      'x',
      null,
      Uint8Array.of(1),
      [['a', 1, 2]],
    ])
      await errorOf(task.saveArtifacts(artifacts), 'INVALID_ARGUMENT');
    await errorOf(task.saveArtifacts({ x: 1 }, { compression: 'gzip' }), 'INVALID_ARGUMENT');
    for (const streams of ['hello', ['x'], null, Uint8Array.of(1), 5]) {
      await errorOf(task.saveLogs('task', streams), 'INVALID_ARGUMENT');
    }
    for (const metadata of [
      { n: Number.NaN },
      { m: new Map() },
      { f: () => 1 },
      { d: new Date(0) },
      new Map(),
    ]) {
      await errorOf(task.saveMetadata(metadata), 'INVALID_ARGUMENT');
    }
    let bomb: unknown = 1;
    for (let i = 0; i < 60; i++) bomb = [bomb, bomb];
    await errorOf(task.saveMetadata({ bomb }), 'INVALID_ARGUMENT');
    await errorOf(async () => task.recordRead('r1/load/0'), 'INVALID_ARGUMENT');
    for (const [source, stdout] of [
      ['../x', 'text'],
      ['task', 5],
    ] as [string, Untyped][])
      await errorOf(task.saveLogs(source, { stdout }));
    await errorOf(task.saveMetadata({ lost: 1, left: undefined }), 'INVALID_ARGUMENT');
    await errorOf(task.saveMetadata({ lost: { deep: [1, undefined] } }), 'INVALID_ARGUMENT');
    await task.saveMetadata({ kept: 1 });
    expect(await (await readIncomplete(flow, task)).loadMetadata()).toEqual({ kept: 1 });
  });

  it('a task that is read', async () => {
    const flow = await openFlow();
    const task: Untyped = await flow.getTaskDataStore(await saveTask(flow, { a: 1 }));
    await errorOf(task.loadArtifacts('a'), 'INVALID_ARGUMENT');
    for (const schemas of [{ a: {} }, null, undefined, 'a', ['a']]) {
      await errorOf(task.loadTyped(schemas), 'INVALID_ARGUMENT');
    }
    await errorOf(task.loadLogs('../x'), 'INVALID_NAME');
    for (const options of [null, { include: ['a'] }]) {
      const { message } = await errorOf(task.format(options), 'INVALID_ARGUMENT');
      expect(message).toMatch(/^format /);
    }
  });

  it('a step that is named twice is read once', async () => {
    const flow = await openFlow();
    await saveTask(flow, {});
    expect(await flow.getTaskDataStores({ runId: 'r1', steps: ['fit', 'fit'] })).toHaveLength(1);
  });
});

describe('an option that does not exist is refused, not ignored:', () => {
  const misspelt = { sources: ['x'] };

  it.each<[string, (flow: Untyped) => Promise<unknown>]>([
    ['task', (flow) => flow.task(spec, () => {}, misspelt)],
    ['a task spec', (flow) => flow.task({ ...spec, atempt: 3 }, () => {})],
    ['a signal in a task spec', (flow) => flow.createTaskDataStore({ ...spec, signal: undefined })],
    ['createTaskDataStore', (flow) => flow.createTaskDataStore(spec, misspelt)],
    ['getTaskDataStore', (flow) => flow.getTaskDataStore('r1/fit/0', { latestDone: true })],
    ['getTaskDataStores', (flow) => flow.getTaskDataStores({ runId: 'r1', step: ['fit'] })],
    ['getTaskDataStoreSet', (flow) => flow.getTaskDataStoreSet({ runId: 'r1', prefech: ['a'] })],
    ['createRun', (flow) => flow.createRun({ tag: 'x' })],
    ['runs', (flow) => flow.runs({ tag: ['x'] })],
    ['latestRun', (flow) => flow.latestRun({ tag: 'x' })],
    ['scrubLogs', (flow) => flow.scrubLogs('r1/fit/0', misspelt)],
    ['saveData', (flow) => flow.saveData([], misspelt)],
    ['loadData', (flow) => flow.loadData([], misspelt).next()],
    ['saveBlobs', (flow) => flow.caStore.saveBlobs([], misspelt)],
    ['loadBlobs', (flow) => flow.caStore.loadBlobs([], misspelt).next()],
    ['streamBlob', (flow) => flow.caStore.streamBlob('ab'.repeat(32), { offset: 5 }).next()],
    ['release', (flow) => flow.caStore.release('x', misspelt)],
    ['run.info', (flow) => flow.run('r1').info(misspelt)],
    ['run.steps', (flow) => flow.run('r1').steps(misspelt)],
    ['run.tasks', (flow) => flow.run('r1').tasks({ step: ['fit'] })],
    ['run.finish', (flow) => flow.run('r1').finish('done', misspelt)],
    ['a signal in place of options', (flow) => flow.runs(new AbortController().signal)],
    ['text in place of options', (flow) => flow.runs('nightly')],
    ['a controller in place of its signal', (flow) => flow.runs({ signal: new AbortController() })],
    [
      'a signal that keeps its listeners',
      (flow) => flow.runs({ signal: { aborted: false, addEventListener: () => {} } }),
    ],
    ['a time-out in place of a signal', (flow) => flow.task(spec, () => {}, { signal: 5 })],
  ])('%s', async (_, call) => {
    const flow = await openFlow();
    await flow.task(spec, (task) => task.saveLogs('train', { stdout: 'kept' }));
    const before = await objectNames(flow.storage);
    await errorOf(() => call(flow), 'INVALID_ARGUMENT');
    expect(await objectNames(flow.storage)).toEqual(before);
  });

  it.each<[string, (task: Untyped) => Promise<unknown>]>([
    ['saveArtifacts', (task) => task.saveArtifacts({ a: 1 }, misspelt)],
    ['saveArtifacts: null', (task) => task.saveArtifacts({ a: 1 }, null)],
    ['saveArtifacts: artifacts', (task) => task.saveArtifacts({ a: 1 }, { artifacts: null })],
    ['saveArtifactStream', (task) => task.saveArtifactStream('a', (async function* () {})(), misspelt)],
    ['saveMetadata', (task) => task.saveMetadata({ a: 1 }, misspelt)],
    ['saveLogs', (task) => task.saveLogs('train', { stdout: 'x' }, { flushMS: 1 })],
    ['scrubLogs', (task) => task.scrubLogs(misspelt)],
    ['scrubLogs by position', (task) => task.scrubLogs('train', 'stdout')],
    ['done', (task) => task.done(misspelt)],
    ['fail', (task) => task.fail(new Error('x'), misspelt)],
  ])('%s', async (name, call) => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await task.saveLogs('train', { stdout: 'kept' });
    await errorOf(() => call(task), 'INVALID_ARGUMENT');
    const fails = await task.done().then(
      () => false,
      (error) => isStowageError(error, 'SAVE_FAILED'),
    );
    expect(fails).toBe(/^save/.test(name));
    if (fails) await task.fail(new Error('incomplete'));
    const read = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect([read.names(), await read.loadLogs('train'), await read.loadMetadata()]).toEqual([[], 'kept', {}]);
  });

  it.each<[string, (task: Untyped, read: Untyped) => Promise<unknown>]>([
    ['clone', (task, read) => task.clone(read, misspelt)],
    ['passdownPartial', (task, read) => task.passdownPartial(read, ['a'], misspelt)],
    ['mergeArtifacts', (task, read) => task.mergeArtifacts([read], { exlude: ['a'] })],
    ['transferArtifacts', (task, read) => task.transferArtifacts(read, ['a'], misspelt)],
    ['loadArtifacts', (_, read) => read.loadArtifacts(['a'], misspelt)],
    ['get', (_, read) => read.get('a', misspelt)],
    ['loadTyped', (_, read) => read.loadTyped({}, misspelt)],
    ['artifacts', (_, read) => read.artifacts({ name: ['a'] }).next()],
    ['streamArtifact', (_, read) => read.streamArtifact('a', misspelt).next()],
    ['toRecord', (_, read) => read.toRecord({ naems: ['a'] })],
    ['format', (_, read) => read.format({ naems: ['a'] })],
    ['logs', (_, read) => read.logs(misspelt)],
    ['logSize', (_, read) => read.logSize('train', 'stdout', misspelt)],
    ['loadLogs', (_, read) => read.loadLogs('train', 'stdout', misspelt)],
  ])('%s', async (_, call) => {
    const flow = await openFlow();
    const read = await flow.getTaskDataStore(await saveTask(flow, { a: 1 }));
    const task = await flow.createTaskDataStore({ ...spec, taskId: '1' });
    await errorOf(() => call(task, read), 'INVALID_ARGUMENT');
    await task.fail(new Error('incomplete'));
    expect((await flow.getTaskDataStore('r1/fit/1', { allowNotDone: true })).names()).toEqual([]);
  });
});

describe('what holds no artifacts is not saved as none:', () => {
  class Model {
    weights = [1];
  }

  it.each<[string, Untyped]>([
    ['a promise that nobody awaited', Promise.resolve({ model: 1 })],
    ['a date', new Date(0)],
    ['an instance of a class', new Model()],
    ['an error', new Error('x')],
    ['a weak map', new WeakMap()],
  ])('%s', async (_, artifacts) => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.saveArtifacts(artifacts), 'INVALID_ARGUMENT');
    await task.saveArtifacts(Object.assign(Object.create(null), { bare: 1 }));
    expect((await readIncomplete(flow, task)).names()).toEqual(['bare']);
  });
});

describe('a task that is not there', () => {
  it.each([
    ['Test/fit/0', 'without the name of the flow'],
    ['r9/fit/0', 'stowage runs Test'],
    ['r1/fti/0', 'has no step fti; it has fit'],
    ['r1/fit/7', 'has no task 7; it has 0'],
  ])('%s: the message tells which part, and what there is', async (pathspec, words) => {
    const flow = await openFlow();
    await saveTask(flow, {});
    for (const call of [
      () => flow.getTaskDataStore(pathspec),
      () => flow.getTaskDataStores({ pathspecs: [pathspec] }),
    ])
      expect((await errorOf(call, 'TASK_NOT_FOUND')).message).toContain(words);
  });
});

describe('what is too much', () => {
  it('a message names the last of many attempts, and details have all', async () => {
    const flow = await openFlow();
    for (let i = 0; i < 25; i++) await flow.task(spec, () => Promise.reject(new Error('no'))).catch(() => {});
    const missing = await errorOf(
      () => flow.getTaskDataStore('r1/fit/0', { attempt: 99 }),
      'ATTEMPT_NOT_FOUND',
    );
    expect(missing.message).toMatch(/it has 25, the last of them 5, 6, .*, 24\./);
    expect(missing.details.existing).toHaveLength(25);
    const none = await errorOf(
      () => flow.getTaskDataStore('r1/fit/0', { attempt: 'latestDone' }),
      'ATTEMPT_NOT_DONE',
    );
    expect(none.message).toContain('(it has 25, the last of them 5, ');
  });

  it('metadata beyond 16 MiB an attempt is refused, and the attempt stays readable', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const text = 'x'.repeat(3_900_000);
    for (let i = 0; i < 4; i++) await task.saveMetadata({ [`m${i}`]: text });
    await errorOf(task.saveMetadata({ m4: text }), 'INVALID_ARGUMENT');
    expect(Object.keys(await (await readIncomplete(flow, task)).loadMetadata())).toHaveLength(4);
  });

  it('a long log is written in parts, and read as one', async () => {
    const flow = await openFlow();
    const bytes = noise(20_000_000);
    await flow.task(spec, (task) => task.saveLogs('task', { out: bytes, none: '' }));
    const task = await flow.getTaskDataStore('r1/fit/0');
    const pieces: Uint8Array[] = [];
    for await (const piece of task.streamLogs('task', 'out')) pieces.push(piece);
    expect(pieces.length).toBe(3);
    expect(Buffer.compare(Buffer.concat(pieces), bytes)).toBe(0);
    expect(await task.loadLogs('task', 'none')).toBe('');
  });

  it('an error text is cut to well-formed text', async () => {
    const flow = await openFlow();
    const message = `${'x'.repeat(16 * 1024 - 1)}😀 and more`;
    await flow.task(spec, () => Promise.reject(new Error(message))).catch(() => {});
    const { error } = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect(error?.message.isWellFormed()).toBe(true);
    expect(error?.message.length).toBeLessThan(message.length);
  });
});
