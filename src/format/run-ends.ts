import { invalidArgument } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { tryCreateOwn } from './create-own.ts';
import { encodeRecord } from './record.ts';
import { readOneOf, readRecord, readTime } from './record-fields.ts';
import { recordError } from './recorded-error.ts';
import { MAX_RUN_RECORD_BYTES } from './run-records.ts';
import { type RecordedError, readRecordedError } from './session-files.ts';
import { newSessionId, padSequence } from './session-id.ts';

/** The outcome of a run, as whoever ran it says. */
export type RunOutcome = 'done' | 'failed';

/** The end of a run: `abandoned` where its processes left it open, and retention found all of it silent for 24 hours. */
export type RunEnd = RunOutcome | 'abandoned';

/** The content of finished.json. */
export interface RunFinished {
  status: RunEnd;
  /** ISO 8601, by the finisher's clock. */
  finishedAt: string;
  error?: RecordedError;
}

/** A run is finished anew at most so often: as long as eight digits count it. */
const MAX_RUN_ENDS = 99_999_999;

/**
 * Records how a run ended: creates finished.json, or, where the run was finished as failed or abandoned before and taken up again, the record
 * behind the latest. `undefined` where it was finished as done, or somebody finishes it at this moment.
 *
 * @throws StowageError `INVALID_ARGUMENT` for a status that is none
 */
export async function finishRunRecord(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  status: RunOutcome,
  error: unknown,
  { signal }: CallOptions,
): Promise<RunFinished | undefined> {
  if (status !== 'done' && status !== 'failed') {
    throw invalidArgument(`A run ends as 'done' or 'failed', not as ${String(status)}.`);
  }
  const said: RunFinished = {
    status,
    finishedAt: new Date().toISOString(),
    ...(error === undefined ? {} : { error: recordError(error) }),
  };
  if (await createRunEnd(storage, flow, run, 0, said, { signal })) return said;
  const latest = (await listRunEnds(storage, flow, run, { signal })).at(-1) ?? 0;
  const standing = await readRunEnd(storage, flow, run, latest, { signal });
  if (standing === undefined || standing.status === 'done' || latest === MAX_RUN_ENDS) return undefined;
  return (await createRunEnd(storage, flow, run, latest + 1, said, { signal })) ? said : undefined;
}

/** Closes a run that its processes left open as `abandoned`; `false` where its end is recorded. Its owner may finish it all the same. */
export async function abandonRun(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  options: CallOptions,
): Promise<boolean> {
  const said = { status: 'abandoned', finishedAt: new Date().toISOString() } as const;
  return createRunEnd(storage, flow, run, 0, said, options);
}

/** `false` where another end of that number is recorded. */
async function createRunEnd(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  end: number,
  said: RunFinished,
  { signal }: CallOptions,
): Promise<boolean> {
  const session = newSessionId();
  const record = encodeRecord({ format: 1, kind: 'run-finished', session, flow, run, end, ...said });
  return tryCreateOwn(storage, runEndName(flow, run, end), record, { signal, durability: 'barrier' });
}

/**
 * Reads how a run ended; `undefined` if nobody recorded it. Of a run that was taken up again and finished anew, the latest end counts.
 *
 * @param end the latest end, where a listing told it: one GET then; else one for a run that is open, and a LIST for others
 */
export async function readRunFinished(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  { signal }: CallOptions,
  end?: number,
): Promise<RunFinished | undefined> {
  const first = await readRunEnd(storage, flow, run, end ?? 0, { signal });
  if (!first || end !== undefined) return first;
  const latest = (await listRunEnds(storage, flow, run, { signal })).at(-1) ?? 0;
  return latest === 0 ? first : readRunEnd(storage, flow, run, latest, { signal });
}

async function readRunEnd(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  end: number,
  { signal }: CallOptions,
): Promise<RunFinished | undefined> {
  const name = runEndName(flow, run, end);
  const object = await storage.get(name, { signal, maxBytes: MAX_RUN_RECORD_BYTES });
  return object && decodeRunFinished(object.body, storage.uri(name), { flow, run, end });
}

/**
 * Reads a record of how a run ended.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export function decodeRunFinished(
  bytes: Uint8Array,
  what: string,
  of: { flow: string; run: string; end: number },
): RunFinished {
  const record = readRecord(bytes, what, 'run-finished', of);
  const error = readRecordedError(record, what);
  return {
    status: readOneOf(record, 'status', what, ['done', 'failed', 'abandoned']),
    finishedAt: readTime(record, 'finishedAt', what),
    ...(error === undefined ? {} : { error }),
  };
}

/** One LIST: the numbers of the ends that are recorded of a run, ascending. */
export async function listRunEnds(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  { signal }: CallOptions,
): Promise<number[]> {
  const prefix = `runs/${flow}/${run}/`;
  const ends: number[] = [];
  for await (const page of storage.list({ prefix: `${prefix}finished.`, signal })) {
    for (const { name } of page.objects) {
      const end = parseRunEnd(name.slice(prefix.length));
      if (end !== undefined) ends.push(end);
    }
  }
  return ends.sort((a, b) => a - b);
}

/** The number of the end that a file of a run tells, from 0 on; `undefined` for all other files. */
export function parseRunEnd(file: string): number | undefined {
  if (file === 'finished.json') return 0;
  const [, digits = '0'] = /^finished\.(\d{8})\.json$/.exec(file) ?? [];
  return Number(digits) || undefined;
}

export function runEndName(flow: string, run: string, end: number): string {
  return `runs/${flow}/${run}/finished.${end === 0 ? '' : `${padSequence(end)}.`}json`;
}
