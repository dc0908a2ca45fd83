import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, noise, openFlow, readIncomplete, saveTask } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { until } from '../waiting.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const NAMES = ['a', 'b', 'c'];

class Unsaveable {}

/** A call that saves something, and fails where it is bad. */
interface Planned {
  form: 'record' | 'list' | 'map' | 'iterable' | 'stream' | 'passdown' | 'metadata' | 'logs';
  names: string[];
  size: 'small' | 'content' | 'chunked';
  bad: boolean;
}

const planned: fc.Arbitrary<Planned> = fc.record({
  form: fc.constantFrom('record', 'list', 'map', 'iterable', 'stream', 'passdown', 'metadata', 'logs'),
  names: fc.subarray(NAMES, { minLength: 1 }),
  size: fc.constantFrom('small', 'small', 'content', 'chunked'),
  bad: fc.boolean(),
});
const BYTES = { small: 1, content: 20_000, chunked: 300_000 };

function textOf(call: number, size: Planned['size']): string {
  return `${call} `.padEnd(BYTES[size], 'x');
}

async function* slowly<T>(items: readonly T[], bad: boolean): AsyncGenerator<T> {
  for (const item of items) {
    await sleep(0);
    yield item;
  }
  if (bad) throw new Error('the source broke off');
}

/** What a planned call is to save, as the attempt tells it apart. */
function subjectsOf({ form, names, bad }: Planned): string[] {
  if (form === 'passdown' && bad) return [...names, 'missing'].map((name) => `artifact ${name}`);
  if (form === 'metadata' || form === 'logs') return names.map((name) => `${form} ${name}`);
  if (form === 'stream') return [`artifact ${names[0]}`];
  return [...names.map((name) => `artifact ${name}`), ...(form === 'iterable' ? ['iterable'] : [])];
}

async function begin(
  task: OpenTaskDataStore,
  call: number,
  { form, names, size, bad }: Planned,
  origin: (call: number, size: Planned['size']) => TaskDataStore,
): Promise<void> {
  const value = textOf(call, size);
  const values = names.map((name, index) => [name, bad && index === 0 ? new Unsaveable() : value] as const);
  if (form === 'record') return task.saveArtifacts(Object.fromEntries(values));
  if (form === 'list') return task.saveArtifacts(values);
  if (form === 'map') return task.saveArtifacts(new Map(values));
  if (form === 'iterable')
    return task.saveArtifacts(
      slowly(
        names.map((name) => [name, value] as const),
        bad,
      ),
    );
  if (form === 'stream')
    return task.saveArtifactStream(names[0] as string, slowly([Buffer.from(value)], bad));
  if (form === 'metadata')
    return task.saveMetadata(Object.fromEntries(values.map(([name, each]) => [name, each as string])));
  if (form === 'logs')
    return task.saveLogs('task', Object.fromEntries(names.map((name) => [name, slowly([value], bad)])));
  return task.passdownPartial(origin(call, size), bad ? [...names, 'missing'] : names);
}

describe('calls that save, begun one after the other and awaited by nobody,', () => {
  test.prop([fc.array(planned, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat(3))], {
    numRuns: Math.ceil(propertyRuns / 4),
  })(
    'make an attempt done where the last call of each name succeeds, with its value',
    async (calls, delays) => {
      let slow = false;
      const storage = new FaultStorage(new MemoryStorage(), (operation) =>
        slow && operation === 'create' ? { kind: 'delay', ms: delays.next().value as number } : undefined,
      );
      const flow = await openFlow({ storage });
      const origins = new Map<number, TaskDataStore>();
      for (const [call, { form, size }] of calls.entries()) {
        if (form !== 'passdown') continue;
        const value = textOf(call, size);
        const path = await saveTask(flow, Object.fromEntries(NAMES.map((name) => [name, value])), {
          taskId: `o${call}`,
        });
        origins.set(call, await flow.getTaskDataStore(path));
      }
      slow = true;
      const task = await flow.createTaskDataStore(spec);
      const saves = calls.map((call, index) =>
        begin(task, index, call, (at) => origins.get(at) as TaskDataStore),
      );
      const settled = Promise.allSettled(saves);
      const lasts = new Map<string, { index: number; call: Planned }>();
      calls.forEach((call, index) => {
        for (const subject of subjectsOf(call)) lasts.set(subject, { index, call });
      });
      const isComplete = [...lasts.values()].every(({ call }) => !call.bad);
      if (!isComplete) {
        await readIncomplete(flow, task);
        return void (await settled);
      }
      await task.done();
      await settled;
      const read = await flow.getTaskDataStore('r1/fit/0');
      const metadata = await read.loadMetadata();
      for (const [subject, { index, call }] of lasts) {
        const [kind, name] = subject.split(' ') as [string, string];
        const expected = textOf(index, call.size);
        if (kind === 'metadata') expect(metadata[name]).toBe(expected);
        if (kind !== 'artifact') continue;
        const value = await read.get(name);
        expect(typeof value === 'string' ? value : String(Buffer.from(value as Uint8Array))).toBe(expected);
      }
    },
  );

  it('save no metadata with a member that is undefined, and those of -0 as the 0 that every reader has', async () => {
    const flow = await openFlow();
    await flow.task(spec, async (task) => {
      await expect(task.saveMetadata({ epoch: undefined as never, rows: 2 })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/^metadata\.epoch is undefined, .* say null\.$/),
      });
      await task.saveMetadata({ epoch: 1, rows: 2, drift: -0, all: [-0, -1] });
    });
    const metadata = await (await flow.getTaskDataStore('r1/fit/0')).loadMetadata();
    expect(metadata).toStrictEqual({ epoch: 1, rows: 2, drift: 0, all: [0, -1] });
  });

  it('leave what mergeArtifacts finds under way as it will be', async () => {
    const flow = await openFlow();
    const inputs = await Promise.all(
      ['1', '2'].map(async (taskId) =>
        flow.getTaskDataStore(
          await saveTask(flow, { differs: taskId, same: 1 }, { stepName: 'split', taskId }),
        ),
      ),
    );
    await flow.task(spec, async (task) => {
      const saving = task.saveArtifacts({ differs: noise(300_000) });
      await task.mergeArtifacts(inputs);
      await saving;
    });
    const read = await flow.getTaskDataStore('r1/fit/0');
    expect([read.names().sort(), await read.get('same')]).toEqual([['differs', 'same'], 1]);
    expect(await read.get<Uint8Array>('differs')).toHaveLength(300_000);
  });
});

describe('a save that failed', () => {
  const bad = { model: new Unsaveable() };

  async function readAny(flow: FlowDataStore): Promise<TaskDataStore> {
    return flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
  }

  it('is made good by the same names, and the error names what is missing until then', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.saveArtifacts({ ...bad, metrics: 1 }), 'UNSERIALIZABLE_ARTIFACT');
    await errorOf(task.saveMetadata({ trainedAt: new Date() as never }), 'INVALID_ARGUMENT');
    await task.saveArtifacts({ metrics: 1 });
    const error = await errorOf(task.done(), 'SAVE_FAILED');
    expect(error.details.unsaved).toEqual(['artifact model', 'metadata trainedAt']);
    expect(error.cause).toMatchObject({ code: 'UNSERIALIZABLE_ARTIFACT' });
    await task.saveArtifacts({ model: null });
    await task.saveMetadata({ trainedAt: 'unknown' });
    await task.done();
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual({
      metrics: 1,
      model: null,
    });
  });

  it.each<[string, (task: OpenTaskDataStore) => unknown]>([
    ['a promise in place of artifacts', (task) => task.saveArtifacts(Promise.resolve({ model: 1 }) as never)],
    [
      'an option that does not exist',
      (task) => task.saveArtifacts({ model: 1 }, { compresion: 'none' } as never),
    ],
    ['an iterable that throws at once', (task) => task.saveArtifacts(slowly([], true))],
    ['a log', (task) => task.saveLogs('task', { stdout: slowly(['line\n'], true) })],
    ['a stream that is none', (task) => task.saveArtifactStream('model', Buffer.from('x') as never)],
    ['a map in place of metadata', (task) => task.saveMetadata(new Map([['rows', 1]]) as never)],
    ['a clone of nothing', (task) => task.clone(undefined as never)],
    [
      'two saves of one callback that nobody awaited, of which the second comes too late',
      (task) => {
        [1, 2].forEach(async (n) => {
          await task.saveArtifacts({ [`a${n}`]: noise(300_000, n) });
          await task.saveMetadata({ [`m${n}`]: n }).catch(() => {});
        });
      },
    ],
  ])('leaves the attempt failed, though its promise is looked at by nobody: %s', async (_, save) => {
    const flow = await openFlow();
    const work = flow.task(spec, async (task) => {
      const saving = save(task);
      if (saving instanceof Promise) saving.catch(() => {}); // as in a process that listens to unhandledRejection
      await task.saveArtifacts({ metrics: 1 });
    });
    await errorOf(work, 'SAVE_FAILED');
    expect((await readAny(flow)).status).toBe('failed');
  });

  it.each<[string, (task: OpenTaskDataStore, origin: TaskDataStore) => Promise<unknown>]>([
    ['what was taken is saved', (task) => task.saveArtifacts({ a: 1, b: 2 })],
    ['some of it is taken by name', (task, origin) => task.passdownPartial(origin, ['a'])],
  ])('of taking over is made good where %s', async (_, mend) => {
    const storage = new MemoryStorage();
    let isFailing = false;
    const flaky = new FaultStorage(storage, (operation, name) =>
      isFailing && operation === 'create' && name.startsWith('pins/') ? { kind: 'before' } : undefined,
    );
    const flow = await openFlow({ storage: flaky });
    const values = { a: noise(20_000), b: noise(20_000, 2) };
    const origin = await flow.getTaskDataStore(await saveTask(flow, values, { taskId: 'origin' }));
    isFailing = true;
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.clone(origin), 'STORAGE_UNAVAILABLE');
    isFailing = false;
    await errorOf(task.done(), 'SAVE_FAILED');
    await mend(task, origin);
    await task.done();
  });

  it('of the input of a cached task, or of a file that it keeps without awaiting that, is told of the attempt', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({
      name: 'plot',
      version: '1',
      run: (path: string, { files }) => {
        files.save('plot', path).catch(() => {});
        return 1;
      },
    });
    const result = await task.detailed('/nowhere/plot.svg', { runId: 'r1' });
    expect(result).toMatchObject({ value: 1, stored: false, notStoredError: { code: 'SAVE_FAILED' } });
    // Nobody waits for the end of an attempt that is given up.
    await until(async () => {
      const [attempt] = await flow.getTaskDataStores({ runId: 'r1', allowNotDone: true });
      return attempt?.status === 'failed';
    });
  });
});

it('that tells no names fails the attempt for good, and the error does not ask for it again', async () => {
  const task = await (await openFlow()).createTaskDataStore(spec);
  await errorOf(task.saveArtifacts(null as never), 'INVALID_ARGUMENT');
  const { message, details } = await errorOf(task.done(), 'SAVE_FAILED');
  expect(details.unsaved).toHaveLength(1);
  expect(message).not.toContain('Save it again');
  expect(message).toContain('close the attempt by fail()');
  await task.fail(new Error('given up'));
});
