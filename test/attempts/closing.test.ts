import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openAttempt } from '../../src/attempts/attempt-opening.ts';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { readSessionFile } from '../../src/format/session-files.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { abandonedDone } from '../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, readIncomplete } from '../flow/fixtures.ts';
import { until } from '../waiting.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const base = 'flows/Test/r1/fit/0/';

describe('what is on its way when the attempt is closed', () => {
  it('metadata and logs that were accepted are part of it', async () => {
    const delayed = new FaultStorage(new MemoryStorage(), (operation, name) =>
      operation === 'create' && /^(partial|logs)\//.test(name) ? { kind: 'delay', ms: 20 } : undefined,
    );
    const flow = await openFlow({ storage: delayed });
    const task = await flow.createTaskDataStore(spec);
    const metadata = task.saveMetadata({ rows: 5 });
    const logs = task.saveLogs('task', { stdout: 'late\n' });
    await task.done();
    await Promise.all([metadata, logs]);
    const read = await flow.getTaskDataStore('r1/fit/0');
    expect(await read.loadMetadata()).toEqual({ rows: 5 });
    expect(await read.loadLogs('task')).toBe('late\n');
  });
});

describe('a log stream without an end', () => {
  it('does not keep done() from being aborted, nor fail() from closing the attempt', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const stream = new PassThrough();
    stream.write('so far\n');
    const logging = task.saveLogs('task', { stdout: stream }, { flushMs: 1 });
    await until(() => stream.readableLength === 0);
    await errorOf(task.done({ signal: AbortSignal.timeout(30) }), 'ABORTED');
    await task.fail(new Error('no end in sight'));
    await logging;
    const read = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect([read.status, await read.loadLogs('task')]).toEqual(['failed', 'so far\n']);
  });
});

describe('a done() that failed', () => {
  it('can be called again, and says so to whoever saves on', async () => {
    let failing = true;
    const flaky = new FaultStorage(new MemoryStorage(), (operation, name) =>
      failing && operation === 'create' && name.endsWith('.DONE') ? { kind: 'before' } : undefined,
    );
    const flow = await openFlow({ storage: flaky });
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ x: 1 });
    await errorOf(task.done(), 'STORAGE_UNAVAILABLE');
    expect(task.isClosed).toBe(false);
    expect((await errorOf(task.saveArtifacts({ y: 2 }), 'ATTEMPT_CLOSED')).message).toContain(
      'call done() again',
    );
    failing = false;
    await task.done();
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual({ x: 1 });
  });

  it('whose answer was lost is done, and cannot be failed afterwards', async () => {
    let lost = true;
    const flaky = new FaultStorage(new MemoryStorage(), (operation, name) =>
      lost && operation === 'create' && name.endsWith('.DONE') ? { kind: 'after' } : undefined,
    );
    const flow = await openFlow({ storage: flaky });
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.done(), 'STORAGE_UNAVAILABLE');
    lost = false;
    await errorOf(task.fail(new Error('late')), 'ATTEMPT_CLOSED');
    expect((await flow.getTaskDataStore('r1/fit/0')).isDone).toBe(true);
  });

  it('in the callback form leaves a failed attempt, not an open one', async () => {
    const flow = await openFlow();
    const controller = new AbortController();
    const work = flow.task(
      spec,
      async (task) => {
        await task.saveArtifacts({ x: 1 });
        controller.abort();
      },
      { signal: controller.signal },
    );
    await errorOf(work, 'ABORTED');
    const task = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect([task.status, task.error?.message]).toEqual(['failed', expect.stringContaining('aborted')]);
  });

  it('and cannot be failed either shows no more signs of life', async () => {
    const storage = new MemoryStorage();
    const broken = new FaultStorage(storage, (operation, name) =>
      operation === 'create' && /\.(metadata\.json|DONE)$/.test(name) ? { kind: 'before' } : undefined,
    );
    const content = new ContentAddressedStore(broken);
    await content.prepareToWrite();
    const context = {
      content,
      registry: new SerializerRegistry(),
      maxInlineBytes: 0,
      ownBytes: 0,
      beatIntervalMs: 2,
    };
    const path = { flow: 'Test', run: 'r1', step: 'fit', task: '0' };
    const attempt = await openAttempt(context, path, {});
    await errorOf(attempt.done(), 'STORAGE_UNAVAILABLE');
    await until(async () => (await objectNames(storage, 'beats/')).length === 1);
    await attempt.abandon();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await objectNames(storage, 'beats/')).toEqual([]);
  });
});

describe('a fail() that failed', () => {
  async function openFlaky(kind: 'before' | 'after') {
    const faults = { are: true };
    const flaky = new FaultStorage(new MemoryStorage(), (operation, name) =>
      faults.are && operation === 'create' && name.endsWith('.DONE') ? { kind } : undefined,
    );
    const flow = await openFlow({ storage: flaky });
    return { flow, task: await flow.createTaskDataStore(spec), faults };
  }

  it('whose answer was lost is failed, and cannot be done afterwards', async () => {
    const { flow, task, faults } = await openFlaky('after');
    await errorOf(task.fail(new Error('first')), 'STORAGE_UNAVAILABLE');
    faults.are = false;
    await errorOf(task.done(), 'ATTEMPT_CLOSED');
    expect((await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true })).status).toBe('failed');
  });

  it('has fixed what the attempt holds, so that a save under way is told, and not left out in silence', async () => {
    const { flow, task, faults } = await openFlaky('before');
    await task.saveArtifacts({ x: 1 });
    const late = new PassThrough();
    const saving = errorOf(task.saveArtifactStream('late', late), 'ATTEMPT_CLOSED');
    await errorOf(task.fail(new Error('first')), 'STORAGE_UNAVAILABLE');
    faults.are = false;
    const ending = errorOf(task.done(), 'SAVE_FAILED');
    late.end('too late');
    await Promise.all([saving, ending]);
    expect((await readIncomplete(flow, task)).names()).toEqual(['x']);
  });

  it('and a done() beside it come to one outcome, which both are told', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const [failing, ending] = await Promise.allSettled([task.fail(new Error('no')), task.done()]);
    const { status } = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    const told = { failed: failing.status, done: ending.status };
    expect(told).toEqual({
      failed: status === 'failed' ? 'fulfilled' : 'rejected',
      done: status === 'done' ? 'fulfilled' : 'rejected',
    });
  });
});

describe('a fence', () => {
  it('is not got past by a failure while content is looked for again', async () => {
    const storage = new MemoryStorage();
    let failing = false;
    const flaky = new FaultStorage(storage, (operation, name) =>
      failing && operation === 'list' && name.startsWith('data/') ? { kind: 'before' } : undefined,
    );
    const flow = await openFlow({ storage: flaky });
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ small: noise(20_000) });
    const record = await readSessionFile(storage, `${base}0.attempt.json`, {});
    await storage.create(`${base}0.DONE`, abandonedDone(record as Uint8Array));
    failing = true;
    await errorOf(task.done(), 'STORAGE_UNAVAILABLE');
    failing = false;
    await storage.delete(await objectNames(storage, 'data/'));
    await errorOf(task.done(), 'CONTENT_LOST');
    expect((await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true })).status).toBe('failed');
  });
});

describe('the budget of inline values', () => {
  it('holds for saves at once, and is given back by what is replaced', async () => {
    const flow = await openFlow();
    await flow.task(spec, async (task) => {
      const saves = Array.from({ length: 100 }, (_, i) =>
        task.saveArtifacts({ [`a${i}`]: `${i} ${'x'.repeat(16_000)}` }),
      );
      await Promise.all(saves);
    });
    const metadata = await flow.storage.head(`${base}0.metadata.json`);
    expect(metadata?.bytes).toBeLessThan(700_000);
    await flow.task({ ...spec, taskId: '1' }, async (task) => {
      for (let i = 0; i < 100; i++) await task.saveArtifacts({ same: `${i} ${'x'.repeat(16_000)}` });
    });
    expect((await flow.getTaskDataStore('r1/fit/1')).info('same').inline).toBe(true);
  });
});
