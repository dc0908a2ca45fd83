import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, readIncomplete, saveTask } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

describe('the callback form', () => {
  it('returns what the work returns, and is done', async () => {
    const flow = await openFlow();
    expect(await flow.task(spec, () => 42)).toBe(42);
    expect((await flow.getTaskDataStore('r1/fit/0')).isDone).toBe(true);
  });

  it('throws what the work throws, and keeps the error with its causes', async () => {
    const flow = await openFlow();
    const error = Object.assign(new TypeError('bad input', { cause: new Error('file is empty') }), {
      recoverable: true,
    });
    const work = flow.task(spec, async (task) => {
      await task.saveArtifacts({ partial: [1] });
      throw error;
    });
    await expect(work).rejects.toBe(error);
    const task = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect(task.error).toMatchObject({
      name: 'TypeError',
      message: 'bad input',
      recoverable: true,
      cause: { message: 'file is empty' },
    });
    expect(await task.get('partial')).toEqual([1]);
  });

  it.each([
    ['text', 'text'],
    [{ code: 7 }, '{"code":7}'],
    [undefined, 'undefined'],
  ])('keeps %j that is no Error', async (thrown, message) => {
    const flow = await openFlow();
    await flow.task(spec, () => Promise.reject(thrown)).catch(() => {});
    expect((await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true })).error?.message).toBe(message);
  });

  it('leaves an attempt alone that the work closed itself', async () => {
    const flow = await openFlow();
    await flow.task(spec, (task) => task.fail(new Error('by hand')));
    expect((await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true })).status).toBe('failed');
  });
});

describe('a closed attempt', () => {
  it('never changes', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await task.done();
    const before = await objectNames(flow.storage);
    await errorOf(task.saveArtifacts({ x: 1 }), 'ATTEMPT_CLOSED');
    await errorOf(task.saveMetadata({ x: 1 }), 'ATTEMPT_CLOSED');
    await errorOf(task.saveLogs('task', { stdout: 'x' }), 'ATTEMPT_CLOSED');
    await errorOf(task.done(), 'ATTEMPT_CLOSED');
    await errorOf(task.fail(new Error('x')), 'ATTEMPT_CLOSED');
    await task[Symbol.asyncDispose]();
    expect(await objectNames(flow.storage)).toEqual(before);
  });

  it('refuses a save that was still going on when it was closed as failed', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const forgotten = task.saveArtifacts({ late: noise(400_000) });
    const outcome = errorOf(forgotten, 'ATTEMPT_CLOSED');
    await task.fail(new Error('given up'));
    expect((await outcome).message).toContain('await');
    expect((await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true })).names()).toEqual([]);
  });
});

describe('a forgotten await', () => {
  it('does not make an attempt done without what its work began to save', async () => {
    const flow = await openFlow();
    await flow.task({ ...spec, stepName: 'load' }, (task) =>
      task.saveArtifacts({ passed: 1, down: noise(40_000) }),
    );
    const loaded = await flow.getTaskDataStore('r1/load/0');
    const saves: Promise<void>[] = [];
    await flow.task(spec, (task) => {
      saves.push(...[1, 2, 3].map((n) => task.saveArtifacts({ [`small${n}`]: n })));
      saves.push(task.saveArtifacts({ large: noise(400_000) }));
      saves.push(task.saveArtifactStream('pieces', pieces(4)));
      saves.push(task.saveArtifacts(sequence()));
      saves.push(task.clone(loaded));
      saves.push(task.saveMetadata({ rows: 3 }));
    });
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(task.names().sort()).toEqual(
      ['down', 'large', 'passed', 'pieces', 'small1', 'small2', 'small3', 'x', 'y'].sort(),
    );
    expect(digestHex(await task.get<Uint8Array>('large'))).toBe(digestHex(noise(400_000)));
    expect(task.readFrom).toEqual([`${flow.flowName}/r1/load/0/0`]);
    expect(await task.loadMetadata()).toMatchObject({ rows: 3 });
    await Promise.all(saves); // all of them ended well, too
  });

  it('fails the attempt where the save fails that nobody awaited', async () => {
    const flow = await openFlow();
    const saves: Promise<void>[] = [];
    const work = flow.task(spec, (task) => {
      saves.push(task.saveArtifacts({ fine: noise(40_000) }), task.saveArtifacts(breaking()));
      for (const save of saves) save.catch(() => {});
    });
    await expect(work).rejects.toThrow('no more of it');
    const task = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect([task.status, task.error?.cause?.message]).toEqual(['failed', 'no more of it']);
  });

  it('of a save without an end does not keep done() from being aborted, nor fail() from closing the attempt', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const forgotten = errorOf(task.saveArtifactStream('endless', endless()), 'ATTEMPT_CLOSED');
    await errorOf(task.done({ signal: AbortSignal.timeout(30) }), 'ABORTED');
    await errorOf(task.saveArtifacts({ late: 1 }), 'ATTEMPT_CLOSED');
    await task.fail(new Error('no end in sight'));
    end();
    await forgotten;
    const read = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect([read.status, read.names()]).toEqual(['failed', []]);
  });

  it('ends a stream that goes on after the attempt, and leaves nothing of it', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(spec);
    let pieces = 0;
    const recording = async function* () {
      for (; pieces < 10_000; pieces += 1) {
        await sleep(0);
        yield noise(1_000_000, pieces);
      }
    };
    const forgotten = errorOf(task.saveArtifactStream('recording', recording()), 'ATTEMPT_CLOSED');
    while (pieces < 20) await sleep(1);
    await task.fail(new Error('the work failed'));
    await forgotten;
    expect((await objectNames(storage)).filter((name) => name.startsWith('packs/'))).toEqual([]);
  });
});

describe('a stream', () => {
  it('is closed where the place that it is to go to cannot be opened', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const source = Readable.from([noise(300_000), noise(300_000, 2)]);
    const rawDataPath = 'nowhere://place';
    await errorOf(task.saveArtifactStream('film', source, { rawDataPath }), 'UNKNOWN_STORAGE_SCHEME');
    expect(source.destroyed).toBe(true);
    await task.fail(new Error('no place'));
  });
});

describe('an open attempt', () => {
  it('is failed by disposing of it', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await task[Symbol.asyncDispose]();
    expect((await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true })).error?.message).toContain(
      'disposed',
    );
  });

  it('keeps the last of several values of one name', async () => {
    const flow = await openFlow();
    await flow.task(spec, async (task) => {
      await task.saveArtifacts({ x: 1, y: 1 });
      await task.saveArtifacts({ x: noise(40_000) });
      await task.saveArtifacts({ x: 3 });
    });
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual({ x: 3, y: 1 });
  });

  it('keeps values as they were when they were saved', async () => {
    const flow = await openFlow();
    const value = { list: [1] };
    await flow.task(spec, async (task) => {
      await task.saveArtifacts({ value });
      value.list.push(2);
    });
    const task = await flow.getTaskDataStore('r1/fit/0');
    const first = await task.get<{ list: number[] }>('value');
    expect(first).toEqual({ list: [1] });
    first.list.push(3);
    expect(await task.get('value')).toEqual({ list: [1] });
  });

  it('appends logs in order, by source and stream', async () => {
    const flow = await openFlow();
    await flow.task(spec, async (task) => {
      for (let i = 0; i < 12; i++)
        await task.saveLogs('task', { stdout: `${i}\n`, stderr: Uint8Array.of(33) });
      await task.saveLogs('runtime', { stdout: 'started' });
    });
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(await task.loadLogs('task')).toBe('0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n');
    expect(await task.logs()).toEqual([
      { source: 'runtime', stream: 'stdout', bytes: 7 },
      { source: 'task', stream: 'stderr', bytes: 12 },
      { source: 'task', stream: 'stdout', bytes: 26 },
    ]);
    expect(await task.loadLogs('nobody')).toBe('');
  });

  it('merges metadata, later members last, and refuses what JSON cannot hold', async () => {
    const flow = await openFlow();
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const task = await flow.createTaskDataStore(spec);
    await task.saveMetadata({ a: 1, b: 1 });
    await task.saveMetadata({ b: 2, when: null });
    for (const bad of [cycle, [1], 'text', null, { n: 1n }])
      await errorOf(task.saveMetadata(bad as never), 'INVALID_ARGUMENT');
    const foreign = JSON.parse('{"deep":{"__proto__":1}}');
    expect((await errorOf(task.saveMetadata(foreign), 'INVALID_ARGUMENT')).message).toContain(
      'metadata.deep has a member __proto__',
    );
    expect(await (await readIncomplete(flow, task)).loadMetadata()).toEqual({
      a: 1,
      b: 2,
      when: null,
    });
  });

  it.each([2, 64, 65, 500])(
    'loads __proto__, of %i artifacts, as any other, which sets no prototype',
    async (count) => {
      const flow = await openFlow();
      const others = Array.from({ length: count - 1 }, (_, index) => `"a${index}":${index}`);
      const artifacts = JSON.parse(`{"__proto__":{"isAdmin":true},${others}}`);
      const loaded = await (await flow.getTaskDataStore(await saveTask(flow, artifacts))).loadArtifacts();
      expect(Object.entries(loaded)).toEqual(Object.entries(artifacts));
      expect('isAdmin' in loaded).toBe(false);
    },
  );

  it('records what it rests on', async () => {
    const flow = await openFlow();
    const source = await flow.getTaskDataStore(await saveTask(flow, { x: 1 }, { stepName: 'load' }));
    await flow.task(spec, (task) => task.recordRead(source));
    expect((await flow.getTaskDataStore('r1/fit/0')).readFrom).toEqual(['Test/r1/load/0/0']);
  });
});

describe('a large artifact table', () => {
  it('moves into content, and reads the same', async () => {
    const flow = await openFlow();
    const artifacts = Object.fromEntries(
      Array.from({ length: 11_500 }, (_, i) => [`a${i}`.padEnd(128, '-'), `${i % 16} ${'v'.repeat(200)}`]),
    );
    const pathspec = await saveTask(flow, artifacts);
    const metadata = await flow.storage.head('flows/Test/r1/fit/0/0.metadata.json');
    expect(metadata?.bytes).toBeLessThan(5000);
    const task = await flow.getTaskDataStore(pathspec);
    expect(task.names()).toHaveLength(11_500);
    expect(await task.loadArtifacts()).toEqual(artifacts);
  });
});

describe('loadTyped', () => {
  const positive = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        typeof value === 'number' && value > 0
          ? { value }
          : { issues: [{ message: 'must be positive', path: ['metrics', { key: 0 }] }] },
    },
  };

  it("returns the schema's output, or names artifact and path", async () => {
    const flow = await openFlow();
    const task = await flow.getTaskDataStore(await saveTask(flow, { good: 3, bad: -3 }));
    const typed: { good: number } = await task.loadTyped({ good: positive });
    expect(typed).toEqual({ good: 3 });
    const error = await errorOf(task.loadTyped({ bad: positive }), 'ARTIFACT_INVALID');
    expect(error.message).toContain('bad.metrics[0]: must be positive');
  });
});

async function* pieces(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield noise(10_000);
}

async function* sequence(): AsyncGenerator<[string, unknown]> {
  yield ['x', 1];
  yield ['y', noise(40_000)];
}

async function* breaking(): AsyncGenerator<[string, unknown]> {
  yield ['x', 1];
  throw new Error('no more of it');
}

let end: () => void = () => {};

/** One piece, and the next one when `end` is called. */
async function* endless(): AsyncGenerator<Uint8Array> {
  yield noise(10);
  await new Promise<void>((resolve) => {
    end = resolve;
  });
}
