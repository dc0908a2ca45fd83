import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DirectoryRef } from '../../src/references/directory/directory-ref.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { noise, objectNames, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';
import { markClosed } from './collection/histories.ts';

const SPEC = { runId: 'r1', stepName: 'fit', taskId: '0' };
const LARGE = noise(300_000);
const DAY_MS = 24 * 60 * 60 * 1000;
let from: MemoryStorage;
let to: MemoryStorage;
let flow: FlowDataStore;

beforeEach(async () => {
  [from, to] = [new MemoryStorage(), new MemoryStorage()];
  flow = await openFlow({ storage: from });
});

/** Two traced calls, with a small and a large result. `ran` tells those that were run. */
async function callBoth(task: OpenTaskDataStore, ran: string[]): Promise<void> {
  const call = task.trace('call', (which: string) => {
    ran.push(which);
    return which === 'large' ? LARGE : which;
  });
  expect(await call('small')).toBe('small');
  expect(Buffer.compare((await call('large')) as Uint8Array, LARGE)).toBe(0);
}

/** Works on an attempt: traced calls, and checkpoints of a folder, of which the last has one file more. */
async function work(): Promise<OpenTaskDataStore> {
  const task = await flow.createTaskDataStore(SPEC);
  await callBoth(task, []);
  const root = join(scratchFolder(), 'state');
  mkdirSync(root);
  for (const file of ['a', 'b']) {
    writeFileSync(join(root, file), noise(70_000, file.charCodeAt(0)));
    await task.checkpoint.save({ state: await task.directories.fromLocal(root), at: file });
  }
  return task;
}

async function failed(): Promise<void> {
  await (await work()).fail(new Error('the machine went away'));
}

async function collect(storage: MemoryStorage, nowMs?: number): Promise<void> {
  await using content = new ContentAddressedStore(storage);
  await collectGarbage(content, { nowMs });
}

async function copied(): Promise<void> {
  const { attempts, problems } = await copyStore({ from, to });
  expect(problems).toEqual([]);
  expect(attempts.copied).toBeGreaterThan(0);
}

const recordsIn = async (storage: MemoryStorage): Promise<string[]> => {
  return (await objectNames(storage, 'partial/')).map((name) => name.slice(name.lastIndexOf('/') + 1));
};

/** The calls that a retry in the target makes anew, and the files of the checkpoint that it finds. */
async function retried(): Promise<{ ran: string[]; files: [string, number][] }> {
  const task = await (await openFlow({ storage: to })).createTaskDataStore(SPEC);
  const ran: string[] = [];
  await callBoth(task, ran);
  const saved = (await task.checkpoint.load()) as { state: DirectoryRef; at: string } | undefined;
  const files: [string, number][] = [];
  for await (const file of saved?.state.walk() ?? []) files.push([file.path, (await file.bytes()).length]);
  await task.done();
  return { ran, files };
}

const ALL = {
  ran: [],
  files: [
    ['a', 70_000],
    ['b', 70_000],
  ],
};

describe('what an attempt left for the next one', () => {
  it('is in a copy, where a retry goes on with it, whatever is collected there before', async () => {
    await failed();
    await copied();
    expect((await recordsIn(to)).length).toBe(3);
    await collect(to);
    expect(await retried()).toEqual(ALL);
    await collect(to);
    expect(await objectNames(to, 'manifests/')).toEqual([]);
  });

  it('of one that was abandoned is, too', async () => {
    await work();
    await collect(from, Date.now() + 2 * DAY_MS);
    await copied();
    await collect(to);
    expect(await retried()).toEqual(ALL);
  });

  it('survives another copy, of the copy', async () => {
    await failed();
    const between = new MemoryStorage();
    await copyStore({ from, to: between });
    from = between;
    await copied();
    expect(await retried()).toEqual(ALL);
    expect((await copyStore({ from: between, to })).bytesWritten).toBe(0);
  });

  it('stays behind where it is of no use: behind an attempt that is done, and where retention gave it up', async () => {
    await failed();
    await saveTask(flow, { x: 1 });
    await copied();
    expect(await recordsIn(to)).toEqual([]);
    await failed();
    await markClosed(from, '0', 'PURGED');
    await copied();
    expect(await recordsIn(to)).toEqual([]);
  });

  it('is copied without what is gone or damaged', async () => {
    await failed();
    await from.delete(await objectNames(from, 'manifests/'));
    const name = (await objectNames(from, 'partial/')).find((one) => one.includes('.checkpoint.00000001'));
    const { body } = (await from.get(name as string)) ?? {};
    const damaged = Buffer.from(body as Uint8Array);
    damaged[10] = (damaged[10] ?? 0) ^ 1;
    await from.delete([name as string]);
    await from.create(name as string, damaged);
    await copied();
    expect(await retried()).toEqual({ ran: ['large'], files: [] });
  });

  it('is counted by a dry run', async () => {
    await failed();
    const { contentBytes } = await copyStore({ from, to, dryRun: true });
    expect(contentBytes).toBeGreaterThanOrEqual(LARGE.length);
    expect(await objectNames(to)).toEqual([]);
  });
});
