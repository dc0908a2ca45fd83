import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { decodeAttempt, readSessionFile } from '../../src/format/session-files.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { abandonedDone } from '../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../flow/fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const base = 'flows/Test/r1/fit/0/';

/** What a collector does with an attempt that was silent for a day. */
async function abandon(flow: FlowDataStore, attempt: number): Promise<void> {
  const record = await readSessionFile(flow.storage, `${base}${attempt}.attempt.json`, {});
  const done = abandonedDone(record as Uint8Array);
  expect(await flow.storage.create(`${base}${attempt}.DONE`, done)).toBe(true);
}

describe('an owner that a collector gave up on', () => {
  it('closes its work as the next attempt', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ inline: 1, small: noise(20_000), large: noise(600_000) });
    await task.saveMetadata({ rows: 5 });
    await abandon(flow, 0);
    await task.done();
    expect(task.pathspec).toBe('r1/fit/0/1');
    const read = await flow.getTaskDataStore('r1/fit/0');
    expect([read.attempt, read.names()]).toEqual([1, ['inline', 'small', 'large']]);
    expect(Buffer.compare(await read.get('large'), noise(600_000))).toBe(0);
    expect(await read.loadMetadata()).toEqual({ rows: 5 });
    expect((await flow.getTaskDataStore('r1/fit/0/0', { allowNotDone: true })).status).toBe('abandoned');
  });

  it('pins and finds again what it relies on, under its new session', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ small: noise(20_000) });
    await abandon(flow, 0);
    await task.done();
    const record = await readSessionFile(flow.storage, `${base}1.attempt.json`, {});
    const { session } = decodeAttempt(record as Uint8Array, 'attempt', { attempt: 1 });
    expect(await objectNames(flow.storage, `pins/${session}/`)).toHaveLength(1);
  });

  it('says CONTENT_LOST when its content is gone, and leaves a failed attempt', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ inline: 1, small: noise(20_000) });
    await abandon(flow, 0);
    await flow.storage.delete(await objectNames(flow.storage, 'data/'));
    const error = await errorOf(task.done(), 'CONTENT_LOST');
    expect(error.details).toMatchObject({ artifacts: ['small'] });
    const read = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect([read.attempt, read.status, read.names()]).toEqual([1, 'failed', ['inline']]);
  });

  it('is fenced where somebody opened the next attempt', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ by: 'late' });
    await abandon(flow, 0);
    await saveTask(flow, { by: 'next' });
    await errorOf(task.done(), 'ATTEMPT_FENCED');
    expect(await (await flow.getTaskDataStore('r1/fit/0')).get('by')).toBe('next');
  });

  it('may fail quietly: an abandoned attempt is no more done than a failed one', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    await abandon(flow, 0);
    await task.fail(new Error('late'));
    expect((await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true })).status).toBe('abandoned');
  });

  it('comes to one outcome where a fail() meets its done(), which is past the fence by then', async () => {
    const creates = new Map<string, number>();
    const storage = new FaultStorage(new MemoryStorage(), (operation, name) => {
      if (operation !== 'create' || !name.endsWith('.DONE')) return undefined;
      const count = (creates.get(name) ?? 0) + 1;
      creates.set(name, count);
      // The collector is the first to create 0.DONE, fail() the second, which is held up, and done() the third.
      const isSlow = (name === `${base}0.DONE` && count === 2) || (name === `${base}1.DONE` && count === 1);
      return isSlow ? { kind: 'delay', ms: count === 2 ? 50 : 100 } : undefined;
    });
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ small: noise(20_000) });
    await abandon(flow, 0);
    const settled = await Promise.allSettled([task.done(), task.fail(new Error('no'))]);
    const { attempt, status } = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect([attempt, status]).toEqual([1, 'failed']);
    expect(settled.map((call) => call.status)).toEqual(['rejected', 'fulfilled']);
  });
});
