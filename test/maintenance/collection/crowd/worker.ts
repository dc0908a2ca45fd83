// One process of the crowd, as a bundle of the sources: a writer, a reader or a collector, until it is killed.
// Usage: node worker.mjs ROLE SETTINGS(JSON). Prints lines of JSON: what it did, and the failure that it ends with.

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ContentAddressedStore } from '../../../../src/content-addressed-store.ts';
import { isStowageError, type StowageErrorCode } from '../../../../src/errors.ts';
import type { OpenTaskDataStore } from '../../../../src/flow/open-task-data-store.ts';
import { FlowDataStore } from '../../../../src/flow-data-store.ts';
import { collectGarbage } from '../../../../src/maintenance/collection/collect-garbage.ts';
import { FaultStorage } from '../../../../src/storage/fault.ts';
import { openStorage } from '../../../../src/storage/open.ts';
import {
  artifactsOf,
  bytesOf,
  FLOW,
  isOriginal,
  ofTurn,
  partOf,
  resultOf,
  STEP,
  takeOverId,
} from './contents.ts';
import { checkAttempt, closedAttempts, listRuns } from './reading.ts';
import type { Role, Settings, Told } from './settings.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** A source may be given up while it is taken over; a writer that was given up on may find its content gone. */
const LOSSES: StowageErrorCode[] = [
  'ATTEMPT_DELETED',
  'ATTEMPT_FENCED',
  'ATTEMPT_NOT_DONE',
  'CONTENT_LOST',
  'CONTENT_NOT_FOUND',
  'CONTENT_PURGED',
];

/** What a writer does by turns: tasks of its own, tasks that take over others', cached calls, content outside of tasks. */
const KINDS = ['task', 'call', 'all', 'task', 'call', 'part', 'loose'] as const;

const [role, json] = process.argv.slice(2) as [Role, string];
const settings = JSON.parse(json) as Settings;
const { address, storageOptions, me, runMs, silentAfterMs } = settings;

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

function anyOf<T>(items: readonly T[]): T | undefined {
  return items[Math.floor(Math.random() * items.length)];
}

const pause = (mostMs: number): Promise<void> => sleep(Math.random() * mostMs);
const currentRun = (): string => `r${Math.floor(Date.now() / runMs)}`;

async function write(flow: FlowDataStore): Promise<never> {
  const call = flow.cachedTask({
    name: 'judge',
    version: '1',
    run: async (input: number) => resultOf(input),
  });
  const saved: { session: string; key: string; seed: string }[] = [];
  for (let count = Math.floor(Math.random() * KINDS.length); ; count++) {
    const runId = currentRun();
    const kind = KINDS[count % KINDS.length];
    if (kind === 'call') await callOnce(runId);
    else if (kind === 'loose') await orLost(() => saveLoose(count));
    else await orLost(() => saveTask(kind ?? 'task', runId, `${me}-${count}`));
    await pause(200);
  }

  async function orLost(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isStowageError(error, ...LOSSES)) throw error;
      tell({ did: 'lost', code: error.code });
    }
  }

  async function callOnce(runId: string): Promise<void> {
    const input = ofTurn(runId, Math.floor(Math.random() * 3));
    const { value, hit } = await call.detailed(input, { runId });
    if (!isDeepStrictEqual(value, resultOf(input))) throw new Error(`call ${input} returned something else`);
    tell({ did: hit ? 'hit' : 'miss' });
  }

  async function saveLoose(count: number): Promise<void> {
    const seed = `loose ${count % 3}`;
    const [one] = await flow.caStore.saveBlobs([bytesOf(seed, 30_000)]);
    if (one) saved.push({ ...one, seed });
    for (const { key, seed: of } of saved) {
      for await (const { blob } of flow.caStore.loadBlobs([key])) {
        if (!isDeepStrictEqual(blob, bytesOf(of, 30_000))) throw new Error(`${key} holds something else`);
      }
    }
    const old = saved.length > 3 && saved.shift();
    if (old) await flow.caStore.release(old.session);
    tell({ did: 'loose' });
  }

  async function saveTask(kind: 'task' | 'all' | 'part', runId: string, unique: string): Promise<void> {
    const source = kind === 'task' ? undefined : await findSource();
    if (kind !== 'task' && !source) return;
    const taskId = source ? takeOverId(kind as 'all', source.runId, source.taskId, unique) : unique;
    const origin = source && (await flow.getTaskDataStore(`${source.runId}/${STEP}/${source.taskId}`));
    const attempt = await flow.task({ runId, stepName: STEP, taskId }, async (task) => {
      if (!origin) await saveArtifacts(task, artifactsOf(runId, taskId));
      else if (kind === 'all') await task.clone(origin);
      else await task.passdownPartial(origin, partOf(origin.names()));
      // Some are silent for so long that a collector gives up on them.
      if (Math.random() < 0.1) await sleep(silentAfterMs * 1.5);
      return task;
    });
    tell({ did: attempt.pathspec.endsWith('/0') ? kind : 'gone on as n + 1' });
  }

  async function saveArtifacts(task: OpenTaskDataStore, all: Record<string, unknown>): Promise<void> {
    const { stream, ...artifacts } = all;
    await task.saveArtifacts(artifacts);
    if (!stream) return;
    await task.saveArtifactStream('stream', piecesOf(stream as Uint8Array));
  }

  async function findSource(): Promise<{ runId: string; taskId: string } | undefined> {
    const runId = anyOf(await listRuns(flow));
    if (runId === undefined) return undefined;
    const sources: string[] = [];
    for await (const { path } of closedAttempts(flow, runId)) {
      if (path.step === STEP && isOriginal(path.task)) sources.push(path.task);
    }
    const taskId = anyOf(sources);
    return taskId === undefined ? undefined : { runId, taskId };
  }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

async function read(flow: FlowDataStore): Promise<never> {
  for (;;) {
    const runId = anyOf(await listRuns(flow));
    if (runId !== undefined) {
      const found = [];
      for await (const attempt of closedAttempts(flow, runId)) found.push(attempt);
      const chosen = anyOf(found);
      if (chosen && (await checkAttempt(flow, chosen))) tell({ did: 'read' });
    }
    await pause(150);
  }
}

/** Each collection is a process's first one, as far as the store can tell. It takes its time between its steps, so that much comes between. */
async function collect(flow: FlowDataStore): Promise<never> {
  const slow = new FaultStorage(flow.storage, (operation, name) => {
    if (operation === 'create' && name.startsWith('gc/')) return { kind: 'delay', ms: Math.random() * 500 };
    return operation === 'delete' ? { kind: 'delay', ms: Math.random() * 50 } : undefined;
  });
  for (;;) {
    const content = new ContentAddressedStore(slow);
    const result = await collectGarbage(content, { nowMs: Date.now() + DAY_MS - silentAfterMs });
    await content.close();
    const { outcome, abandoned, spared, deleted } = result;
    const { copies, packs, values, pins } = deleted;
    tell({ did: outcome, counts: { abandoned, spared, copies, packs, values, pins } });
    await pause(1000);
  }
}

try {
  const storage = storageOptions ? await openStorage(address, storageOptions) : address;
  const flow = await FlowDataStore.open({ flowName: FLOW, storage });
  await { writer: write, reader: read, collector: collect }[role](flow);
} catch (error) {
  const { message, stack } = error as Error;
  const details = isStowageError(error) ? { code: error.code, details: error.details } : {};
  tell({ did: 'failed', message, ...details, stack: stack ?? '' });
  process.exitCode = 1;
}
