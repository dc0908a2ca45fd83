import type { JsonValue } from '../codec/json-value.ts';
import { decodeRecord, encodeRecord } from '../codec/record.ts';
import {
  checkFormat,
  readObject,
  readOneOf,
  readOptional,
  readString,
  readStrings,
  readTime,
} from '../codec/record-fields.ts';
import { holdsBytes } from '../content/create-own.ts';
import { recordError } from '../content/recorded-error.ts';
import { type RecordedError, readRecordedError, thisOwner } from '../content/session-files.ts';
import { newSessionId } from '../content/session-id.ts';
import { StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** What is said of a run when it is made. */
export interface RunDescription {
  /** Free words, to find runs by. Default none. */
  tags: readonly string[];
  /** What the run was started with: any JSON. Default none. */
  parameters: Readonly<Record<string, JsonValue>>;
  /** Runs that this one rests on: `<flow>/<run>`. Default none. */
  parents: readonly string[];
}

/** What created.json says. */
export interface RunCreated extends RunDescription {
  /** ISO 8601, by the creator's clock. */
  createdAt: string;
  /**
   * The address of the place that content of its tasks goes to, unless they say otherwise; `''` is the store itself, whatever a
   * process prefers. Absent where nobody said.
   */
  rawDataPath?: string;
}

/** How a run ended. */
export type RunOutcome = 'done' | 'failed';

/** What finished.json says. */
export interface RunFinished {
  status: RunOutcome;
  /** ISO 8601, by the finisher's clock. */
  finishedAt: string;
  error?: RecordedError;
}

/** A run that a listing showed. */
export interface ListedRun {
  flow: string;
  run: string;
  /** When created.json was written, in milliseconds since 1970, by the store's clock. */
  createdAtMs: number;
  finished: boolean;
}

const MAX_RECORD_BYTES = 4 * 1024 * 1024;

/** What came of making a run. */
export interface RunMade {
  /** Whether it was made now, rather than before. */
  isNew: boolean;
  /** What created.json says of where content goes, whoever wrote it. */
  rawDataPath: string | undefined;
}

/** Creates created.json, or finds out what the one that is there says. */
export async function createRunRecord(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  { tags, parameters, parents, rawDataPath }: RunDescription & Pick<RunCreated, 'rawDataPath'>,
  { signal }: CallOptions,
): Promise<RunMade> {
  const name = createdName(flow, run);
  const record = encodeRecord({
    format: 1,
    kind: 'run',
    session: newSessionId(),
    flow,
    run,
    createdAt: new Date().toISOString(),
    owner: thisOwner(),
    tags,
    parameters,
    parents,
    rawDataPath,
  });
  if (record.length > MAX_RECORD_BYTES) {
    throw new StowageError(
      'INVALID_ARGUMENT',
      `The tags, parameters and parents of a run take ${record.length} bytes, and may take ${MAX_RECORD_BYTES}; save large parameters as artifacts.`,
      { details: { bytes: record.length } },
    );
  }
  if (await storage.create(name, record, { signal, durability: 'deferred' }))
    return { isNew: true, rawDataPath };
  // Whoever made it may not have got so far as to make it durable, and what is written next rests on it.
  await storage.persist([name], { signal });
  const standing = await storage.get(name, { signal, maxBytes: MAX_RECORD_BYTES });
  if (!standing) throw vanished(storage.uri(name));
  if (Buffer.compare(standing.body, record) === 0) return { isNew: true, rawDataPath }; // our own, after a lost response
  return { isNew: false, rawDataPath: decodeCreated(standing.body, storage.uri(name)).rawDataPath };
}

/** Creates finished.json; `false` where the run was finished before. */
export async function finishRunRecord(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  status: RunOutcome,
  error: unknown,
  { signal }: CallOptions,
): Promise<boolean> {
  if (status !== 'done' && status !== 'failed') {
    throw new StowageError('INVALID_ARGUMENT', `A run ends as 'done' or 'failed', not as ${String(status)}.`);
  }
  const record = encodeRecord({
    format: 1,
    kind: 'run-finished',
    session: newSessionId(),
    status,
    finishedAt: new Date().toISOString(),
    ...(error === undefined ? {} : { error: recordError(error) }),
  });
  const name = finishedName(flow, run);
  if (await storage.create(name, record, { signal, durability: 'barrier' })) return true;
  return holdsBytes(storage, name, record, signal);
}

export async function readRunCreated(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  { signal }: CallOptions,
): Promise<RunCreated | undefined> {
  const object = await storage.get(createdName(flow, run), { signal, maxBytes: MAX_RECORD_BYTES });
  return object && decodeCreated(object.body, storage.uri(createdName(flow, run)));
}

function decodeCreated(bytes: Uint8Array, what: string): RunCreated {
  const record = decodeRecord(bytes, what);
  checkFormat(record, what);
  const rawDataPath = readOptional(readString, record, 'rawDataPath', what);
  return {
    createdAt: readTime(record, 'createdAt', what),
    tags: readStrings(record, 'tags', what),
    parameters: readObject(record, 'parameters', what) as RunCreated['parameters'],
    parents: readStrings(record, 'parents', what),
    ...(rawDataPath === undefined ? {} : { rawDataPath }),
  };
}

export async function readRunFinished(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  { signal }: CallOptions,
): Promise<RunFinished | undefined> {
  const object = await storage.get(finishedName(flow, run), { signal, maxBytes: MAX_RECORD_BYTES });
  if (!object) return undefined;
  const what = storage.uri(finishedName(flow, run));
  const record = decodeRecord(object.body, what);
  checkFormat(record, what);
  const error = readRecordedError(record, what);
  return {
    status: readOneOf(record, 'status', what, ['done', 'failed']),
    finishedAt: readTime(record, 'finishedAt', what),
    ...(error === undefined ? {} : { error }),
  };
}

/** One LIST: the runs of a flow, or of all flows, newest first. */
export async function listRuns(
  storage: DataStoreStorage,
  flow: string | undefined,
  { signal }: CallOptions,
): Promise<ListedRun[]> {
  const runs = new Map<string, ListedRun>();
  const prefix = flow === undefined ? 'runs/' : `runs/${flow}/`;
  for await (const page of storage.list({ prefix, details: true, signal })) {
    for (const { name, modifiedAtMs } of page.objects) {
      const [, flowName, run, file, ...more] = name.split('/');
      if (flowName === undefined || run === undefined || more.length > 0) continue;
      const id = `${flowName}/${run}`;
      if (file === 'created.json') {
        runs.set(id, { flow: flowName, run, createdAtMs: modifiedAtMs ?? 0, finished: false });
      } else if (file === 'finished.json') {
        const listed = runs.get(id);
        if (listed) listed.finished = true;
      }
    }
  }
  return [...runs.values()].sort((a, b) => b.createdAtMs - a.createdAtMs || (a.run < b.run ? 1 : -1));
}

function vanished(what: string): StowageError {
  return new StowageError(
    'STORAGE_FAILED',
    `${what} exists and cannot be read; check that no other program changes the store's folders.`,
    { details: { what } },
  );
}

function createdName(flow: string, run: string): string {
  return `runs/${flow}/${run}/created.json`;
}

function finishedName(flow: string, run: string): string {
  return `runs/${flow}/${run}/finished.json`;
}
