// One process of the crowd, as a bundle of the sources: a writer, a reader, retention or a collector, until it is killed.
// Usage: node worker.mjs ROLE SETTINGS(JSON). Prints lines of JSON: what it did, and the failure that it ends with.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
  codeOf,
  FLOW,
  isOriginal,
  ofTurn,
  partOf,
  RETRIED,
  RUNS_KEPT,
  reportOf,
  resultOf,
  STEP,
  stateOf,
  takeOverId,
} from './contents.ts';
import { checkAttempt, checkCode, closedAttempts, listRuns } from './reading.ts';
import { giveUpOld } from './retention.ts';
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

/** What a writer does by turns: tasks of its own, tasks that take over others', cached calls, content outside of tasks, tasks that are tried again. */
const KINDS = ['task', 'call', 'all', 'retry', 'task', 'call', 'part', 'loose'] as const;

const [role, json] = process.argv.slice(2) as [Role, string];
const settings = JSON.parse(json) as Settings;
const { address, storageOptions, me, memory, runMs, silentAfterMs } = settings;

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
  let lastRun = '';
  for (let count = Math.floor(Math.random() * KINDS.length); ; count++) {
    const runId = currentRun();
    if (runId !== lastRun) await makeRun(runId);
    lastRun = runId;
    const kind = KINDS[count % KINDS.length];
    if (kind === 'retry') await orLost(() => tryAgain(runId, `${me}-${count}`));
    else if (kind === 'call') await callOnce(runId);
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

  /** One of those who want to makes the run, and its code is kept. */
  async function makeRun(runId: string): Promise<void> {
    const code = mkdtempSync(join(tmpdir(), 'code-'));
    for (const [path, text] of Object.entries(codeOf(runId))) {
      mkdirSync(dirname(join(code, path)), { recursive: true });
      writeFileSync(join(code, path), text);
    }
    try {
      await flow.createRun({ runId, code });
      tell({ did: 'run with code' });
    } catch (error) {
      if (!isStowageError(error, 'RUN_EXISTS', ...LOSSES)) throw error;
    } finally {
      rmSync(code, { recursive: true });
    }
  }

  /**
   * A task that fails after it recorded calls and a state to go on from, and is tried again. What the first attempt recorded is replayed,
   * unless that attempt was given up, or never failed since a collector was faster.
   */
  async function tryAgain(runId: string, taskId: string): Promise<void> {
    const spec = { runId, stepName: RETRIED, taskId };
    let ran = 0;
    const work = async (task: OpenTaskDataStore): Promise<boolean> => {
      const load = task.trace('load', async (number: number) => {
        ran += 1;
        return stateOf(runId, number);
      });
      const results = [await load(0), await load(1)];
      if (!isDeepStrictEqual(results, [stateOf(runId, 0), stateOf(runId, 1)]))
        throw new Error(`${runId}/${taskId} was replayed as something else`);
      const state = await task.checkpoint.load();
      if (state !== undefined && !isDeepStrictEqual(state, stateOf(runId, 2)))
        throw new Error(`the checkpoint of ${runId}/${taskId} holds something else`);
      await task.checkpoint.save(stateOf(runId, 2));
      await pause(silentAfterMs / 2);
      return state !== undefined;
    };
    const first = await flow.createTaskDataStore(spec);
    await work(first);
    await first.fail(new Error('tried again'));
    if (!first.pathspec.endsWith('/0')) return; // a collector gave up on it
    await pause(1_000);
    const before = ran;
    const hasState = await flow.task(spec, work);
    const isReplayed = ran === before && hasState;
    if (!isReplayed && (await isLeft(spec))) throw new Error(`${runId}/${taskId} was not replayed`);
    tell({ did: isReplayed ? 'replayed' : 'run anew' });
  }

  async function isLeft({ runId, taskId }: { runId: string; taskId: string }): Promise<boolean> {
    for await (const { path, attempt } of closedAttempts(flow, runId))
      if (path.task === taskId && attempt === 0) return true;
    return false;
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
      if (!origin) {
        task.report('about').text(reportOf(runId, taskId));
        await saveArtifacts(task, artifactsOf(runId, taskId));
      } else if (kind === 'all') await task.clone(origin);
      else await task.passdownPartial(origin, partOf(origin.names()));
      // Some are silent for so long that a collector gives up on them.
      if (Math.random() < 0.1) await sleep(silentAfterMs * 1.5);
      return task;
    });
    tell({ did: attempt.pathspec.endsWith('/0') ? kind : 'gone on as n + 1' });
  }

  async function saveArtifacts(task: OpenTaskDataStore, all: Record<string, unknown>): Promise<void> {
    const { stream, file, ...artifacts } = all;
    await task.saveArtifacts(artifacts);
    if (file)
      await task.saveArtifacts({ file: { of: await task.files.fromData('x.bin', file as Uint8Array) } });
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
      if (await checkCode(flow, runId)) tell({ did: 'code read' });
    }
    await pause(150);
  }
}

/** Gives up old runs, at a pace at which much comes between its steps; sometimes their content before them. */
async function retain(flow: FlowDataStore): Promise<never> {
  const slow = new FaultStorage(flow.storage, (operation) =>
    operation === 'create' || operation === 'delete' ? { kind: 'delay', ms: Math.random() * 100 } : undefined,
  );
  for (let turn = 0; ; turn++) {
    const isContentOnly = turn % 3 === 0;
    const ageMs = (isContentOnly ? RUNS_KEPT - 0.5 : RUNS_KEPT) * runMs;
    const { runs, attempts, abandoned, codeSessions, cacheEntries } = await giveUpOld(
      slow,
      ageMs,
      isContentOnly,
    );
    const { deleted, purged } = attempts;
    const counts = { 'runs gone': runs, 'given up': deleted + purged, purged, codeSessions, cacheEntries };
    tell({
      did: 'retained',
      counts: { ...counts, 'abandoned by retention': abandoned.attempts + abandoned.runs },
    });
    await pause(1_000);
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
    const nowMs = Date.now() + DAY_MS - silentAfterMs;
    const { outcome, abandoned, spared, deleted, ...result } = await collectGarbage(content, {
      nowMs,
      memory,
    });
    await content.close();
    if (result.memoryProblem) throw result.memoryProblem;
    const { copies, packs, values, pins } = deleted;
    const counts = { abandoned, spared, copies, packs, values, pins };
    const { superseded, rewritten, remembered } = result;
    tell({
      did: outcome,
      counts: { ...counts, superseded, rewritten: rewritten.packs, remembered: remembered.sessions },
    });
    await pause(1000);
  }
}

try {
  const storage = storageOptions ? await openStorage(address, storageOptions) : address;
  const flow = await FlowDataStore.open({ flowName: FLOW, storage });
  await { writer: write, reader: read, retention: retain, collector: collect }[role](flow);
} catch (error) {
  const { message, stack } = error as Error;
  const details = isStowageError(error) ? { code: error.code, details: error.details } : {};
  tell({ did: 'failed', message, ...details, stack: stack ?? '' });
  process.exitCode = 1;
}
