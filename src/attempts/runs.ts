import type { JsonValue } from '../codec/json-value.ts';
import { decodeRecord, encodeRecord } from '../codec/record.ts';
import { checkFormat, readObject, readOneOf, readStrings, readTime } from '../codec/record-fields.ts';
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

/** Creates created.json; `false` where the run exists already. */
export async function createRunRecord(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  { tags, parameters, parents }: RunDescription,
  { signal }: CallOptions,
): Promise<boolean> {
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
  });
  if (record.length > MAX_RECORD_BYTES) {
    throw new StowageError(
      'INVALID_ARGUMENT',
      `The tags, parameters and parents of a run take ${record.length} bytes, and may take ${MAX_RECORD_BYTES}; save large parameters as artifacts.`,
      { details: { bytes: record.length } },
    );
  }
  if (await storage.create(name, record, { signal, durability: 'deferred' })) return true;
  // Whoever made it may not have got so far as to make it durable, and what is written next rests on it.
  await storage.persist([name], { signal });
  return holdsBytes(storage, name, record, signal);
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
  if (!object) return undefined;
  const what = storage.uri(createdName(flow, run));
  const record = decodeRecord(object.body, what);
  checkFormat(record, what);
  return {
    createdAt: readTime(record, 'createdAt', what),
    tags: readStrings(record, 'tags', what),
    parameters: readObject(record, 'parameters', what) as RunCreated['parameters'],
    parents: readStrings(record, 'parents', what),
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

function createdName(flow: string, run: string): string {
  return `runs/${flow}/${run}/created.json`;
}

function finishedName(flow: string, run: string): string {
  return `runs/${flow}/${run}/finished.json`;
}
