import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import {
  errorOf,
  noise,
  objectNames,
  openFlow,
  readIncomplete,
  saveTask,
  scratchFolder,
} from './fixtures.ts';

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
    if (typeof name === 'string') {
      expect(await objectNames(storage)).toEqual(before);
      await errorOf(task.done(), 'SAVE_FAILED');
    }
    await task.fail(new Error('incomplete'));
  });

  it.each(['r1', 'Test/r1/fit', '', undefined])('tells that %j is no parent of a run', async (parent) => {
    const flow = await openFlow();
    const parents = [parent as string];
    const error = await errorOf(flow.createRun({ runId: 'r2', parents }), 'INVALID_ARGUMENT');
    expect(error.message).toBe(`The parent ${JSON.stringify(parent)} is not <flow>/<run>.`);
  });

  it('says how the run to resume is named, where its flow is left out', async () => {
    const flow = await openFlow();
    const error = await errorOf(flow.createRun({ runId: 'r2', resume: 'r1' }), 'INVALID_ARGUMENT');
    expect(error.message).toBe('The run to resume, "r1", is not <flow>/<run>: write "Test/r1".');
  });

  it('says that an object is no pathspec', async () => {
    const flow = await openFlow();
    const given = { runId: 'r1', stepName: 'fit', taskId: '0' } as unknown as string;
    const { message } = await errorOf(flow.getTaskDataStore(given), 'INVALID_PATHSPEC');
    expect(message).toContain('An object is no pathspec: a pathspec is text of the form <run>/<step>/<task>');
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
    expect((await readIncomplete(flow, task)).names()).toEqual([]);
  });

  it.each<[string, object]>([
    ['a hidden name', Object.defineProperty({ a: 1 }, 'b', { value: 2 })],
    ['a symbol', { a: 1, [Symbol('b')]: 2 }],
    ['a Map without its prototype', Object.setPrototypeOf(new Map([['a', 1]]), null)],
  ])('of a record are not left out in silence: %s', async (_, artifacts) => {
    const flow = await FlowDataStore.open({ flowName: 'F', storage: new MemoryStorage() });
    const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: 't' });
    await expect(task.saveArtifacts(artifacts as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(task.saveMetadata({ artifacts } as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await flow.close();
  });

  const fail = (): never => {
    throw new Error('no answer');
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  it.each<[string, object]>([
    ['a revoked proxy', revoked.proxy],
    ['a proxy without a prototype to tell', new Proxy({}, { getPrototypeOf: fail })],
    ['a proxy without names to tell', new Proxy({}, { ownKeys: fail })],
    ['a getter that throws', Object.defineProperty({}, 'a', { get: fail, enumerable: true })],
  ])('are told as such where they throw on questions, nested or not: %s', async (_, value) => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    for (const artifacts of [{ value }, { value: [value] }])
      await errorOf(task.saveArtifacts(artifacts), 'UNSERIALIZABLE_ARTIFACT');
    for (const metadata of [value, { value }]) {
      const { message } = await errorOf(task.saveMetadata(metadata as never), 'INVALID_ARGUMENT');
      expect(message).toMatch(
        /^metadata cannot be read: it threw .*: .+\. Give a plain copy of the data in it\.$/,
      );
    }
    await errorOf(flow.createRun({ parameters: { value } as never }), 'INVALID_ARGUMENT');
    expect((await readIncomplete(flow, task)).names()).toEqual([]);
  });

  it('are told where a list of artifacts has none, however long it is', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const sparse: [string, unknown][] = [['a', 1]];
    sparse.length = 1e8;
    await errorOf(task.saveArtifacts(sparse), 'INVALID_ARGUMENT');
    expect((await readIncomplete(flow, task)).names()).toEqual([]);
  });

  it('are told by what they are, and how their bytes are given, as pieces of a stream', async () => {
    const flow = await openFlow();
    for (const [piece, told] of [
      ['text', 'a string came; encode text with Buffer.from(text)'],
      [new ArrayBuffer(1), 'an ArrayBuffer came; give new Uint8Array(buffer)'],
      [new Float64Array(1), 'view.byteOffset, view.byteLength)'],
      [undefined, 'undefined came'],
      [{}, 'something of the type object came'],
    ] as const) {
      const pieces = (async function* (): AsyncGenerator<unknown> {
        yield piece;
      })() as AsyncGenerator<Uint8Array>;
      const { message } = await errorOf(flow.caStore.saveBlobs([pieces]), 'INVALID_ARGUMENT');
      expect(message).toContain(told);
    }
  });

  it('are told in short, and so that a terminal shows them as they are, where they are options', async () => {
    const flow = await openFlow();
    const label = `\u202e\u009b${'x'.repeat(100_000)}`;
    const { message } = await errorOf(flow.createTaskDataStore({ ...spec, label }), 'INVALID_ARGUMENT');
    expect(message).toContain('"\\u202e\\u009bxxx');
    expect(message.length).toBeLessThan(300);
  });

  it('are told without the middle of their path, where they lead back to themselves', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const circle: Record<string, unknown> = {};
    circle.again = circle;
    const { message } = await errorOf(task.saveMetadata(circle as never), 'INVALID_ARGUMENT');
    expect(message.length).toBeLessThan(400);
    await task.fail(new Error('x'));
  });

  it('metadata refuses arrays of other classes, which may give anything for their elements', async () => {
    class Odd extends Array<number> {
      override *[Symbol.iterator](): ArrayIterator<number> {}
    }
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    for (const a of [
      Odd.of(1),
      Object.setPrototypeOf([1], Map.prototype),
      Object.setPrototypeOf([1], null),
    ]) {
      await errorOf(task.saveMetadata({ a } as never), 'INVALID_ARGUMENT');
    }
    await task.saveMetadata({ a: runInNewContext('[1]') });
    await task.done();
    expect(await (await flow.getTaskDataStore(task.pathspec)).loadMetadata()).toEqual({ a: [1] });
  });

  it('a storage that fails half way names nothing of the call', async () => {
    const controller = new AbortController();
    const storage = new FaultStorage(new MemoryStorage(), (operation, name) => {
      if (operation === 'create' && name.startsWith('packs/')) controller.abort();
      return undefined;
    });
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(spec);
    const values = { inline: 1, small: noise(20_000), large: noise(3_000_000) };
    const save = task.saveArtifacts(values, { signal: controller.signal });
    await errorOf(save, 'ABORTED');
    await task.saveArtifacts({ after: 1 });
    expect((await readIncomplete(flow, task)).names()).toEqual(['after']);
  });
});

describe('stores that cannot be used', () => {
  it('a path without a store says so, and nothing is created', async () => {
    const folder = join(scratchFolder(), 'nothing', 'here');
    const flow = await openFlow({ storage: folder });
    for (const read of [
      flow.getTaskDataStore('r1/fit/0'),
      flow.getTaskDataStores({ pathspecs: ['r1/fit/0'] }),
      flow.getTaskDataStores({ runId: 'r1', require: 'all' }),
      flow.run('r1').info(),
      flow.run('r1').steps(),
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
