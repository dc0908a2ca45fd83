import { invalidArgument, StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { type ContentKey, isContentKey } from './content-names.ts';
import type { JsonValue } from './json-value.ts';
import { encodeRecord } from './record.ts';
import {
  type RecordSubject,
  readInteger,
  readObject,
  readOptional,
  readRecord,
  readString,
  readStrings,
  readTime,
} from './record-fields.ts';
import { type Owner, readOwner, thisOwner } from './session-files.ts';
import { isSessionId, newSessionId, type SessionId } from './session-id.ts';

/** The description of a run when it is made. */
export interface RunDescription {
  /** Free words, to find runs by. Default none. */
  tags: readonly string[];
  /** The parameters of the run: any JSON. Default none. */
  parameters: Readonly<Record<string, JsonValue>>;
  /** Runs that this one rests on: `<flow>/<run>`. Default none. */
  parents: readonly string[];
}

/** The code that a run was made by, as created.json tells it: a directory, and what keeps it. */
export interface RunCode {
  /** The session outside tasks that keeps it; `caStore.release(session)` gives it up. */
  session: SessionId;
  /** The name of the folder. */
  name: string;
  /** The number of its files. */
  files: number;
  /** The bytes of all files together. */
  size: number;
  /** The digest of its entries. */
  entries: string;
  /** The key of its listing. */
  listing: ContentKey;
}

/** The content of created.json. */
export interface RunCreated extends RunDescription {
  /** ISO 8601, by the creator's clock. */
  createdAt: string;
  /** The process that made the run. Absent in records of other writers that leave it out. */
  owner?: Owner;
  /**
   * The address of the place that content of its tasks goes to, unless they say otherwise; `''` is the store itself, whatever a
   * process prefers. Absent where nobody said.
   */
  rawDataPath?: string;
  /** The code that the run was made by. Absent where none was kept. */
  code?: RunCode;
  /** The run that this one resumes, `<flow>/<run>`. Absent where it resumes none. */
  resumes?: string;
  /** The steps, and tasks (`<step>/<task>`), that are run again in a run that resumes another. Absent where none was named. */
  rerun?: readonly string[];
}

/** The most bytes of created.json, or of a record of an end. */
export const MAX_RUN_RECORD_BYTES: number = 4 * 1024 * 1024;
/** The latest time that a listing tells of a run: the end of the year 9999. */
export const MAX_RUN_TIME_MS = 253_402_300_799_999;
/** Runs that are made faster than the clock goes may be so far ahead of it. */
const MOMENT_MS = 60_000;

/** The time at which this process created a run last. */
let lastCreatedMs = Number.NEGATIVE_INFINITY;

/** The result of making a run. */
export interface RunMade {
  /** True if it was made now, rather than before. */
  isNew: boolean;
  /** The address for content in created.json, whoever wrote it. */
  rawDataPath: string | undefined;
  /** The run that it resumes, as created.json has it. */
  resumes: string | undefined;
  /** The steps and tasks that are run again, as created.json has them. */
  rerun: readonly string[] | undefined;
}

/** Creates created.json and then what tells its time in listings, or finds out what the created.json that is there says. */
export async function createRunRecord(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  said: RunDescription & Pick<RunCreated, 'rawDataPath' | 'code' | 'resumes' | 'rerun'>,
  { signal }: CallOptions,
): Promise<RunMade> {
  const name = createdName(flow, run);
  const { tags, parameters, parents, rawDataPath, code, resumes, rerun } = said;
  const createdAt = creationTime().toISOString();
  const record = encodeRecord({
    format: 1,
    kind: 'run',
    session: newSessionId(),
    flow,
    run,
    createdAt,
    owner: thisOwner(),
    tags,
    parameters,
    parents,
    rawDataPath,
    code,
    resumes,
    rerun,
  });
  if (record.length > MAX_RUN_RECORD_BYTES) {
    throw invalidArgument(
      `The tags, parameters and parents of a run take ${record.length} bytes, and may take ${MAX_RUN_RECORD_BYTES}; save large parameters as artifacts.`,
      { bytes: record.length },
    );
  }
  const created = async (): Promise<RunMade> => {
    await createRunTime(storage, flow, run, createdAt, { signal });
    return { isNew: true, rawDataPath, resumes, rerun };
  };
  if (await storage.create(name, record, { signal, durability: 'deferred' })) return created();
  // Whoever made it may not have got so far as to make it durable, and what is written next rests on it.
  await storage.persist([name], { signal });
  const standing = await storage.get(name, { signal, maxBytes: MAX_RUN_RECORD_BYTES });
  if (!standing) throw vanished(storage.uri(name));
  if (Buffer.compare(standing.body, record) === 0) return created(); // our own, after a lost response
  const theirs = decodeRunCreated(standing.body, storage.uri(name), { flow, run });
  return {
    isNew: false,
    rawDataPath: theirs.rawDataPath,
    resumes: theirs.resumes,
    rerun: theirs.rerun,
  };
}

/**
 * Creates the empty object that tells a listing when a run was created, unless the time is one that no listing tells. One request;
 * without the object, listings read created.json.
 */
export async function createRunTime(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  createdAt: string,
  { signal }: CallOptions,
): Promise<void> {
  const file = `at.${Date.parse(createdAt)}`;
  if (parseRunTime(file) === undefined) return;
  await storage.create(`runs/${flow}/${run}/${file}`, new Uint8Array(0), { signal, durability: 'deferred' });
}

/** Reads created.json of a run; `undefined` where it is not there. */
export async function readRunCreated(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  { signal }: CallOptions,
): Promise<RunCreated | undefined> {
  const object = await storage.get(createdName(flow, run), { signal, maxBytes: MAX_RUN_RECORD_BYTES });
  return object && decodeRunCreated(object.body, storage.uri(createdName(flow, run)), { flow, run });
}

/**
 * Reads created.json of a run.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export function decodeRunCreated(
  bytes: Uint8Array,
  what: string,
  of: { flow: string; run: string },
): RunCreated {
  const record = readRecord(bytes, what, 'run', of);
  const rawDataPath = readOptional(readString, record, 'rawDataPath', what);
  const resumes = readOptional(readString, record, 'resumes', what);
  const rerun = readOptional(readStrings, record, 'rerun', what);
  return {
    createdAt: readTime(record, 'createdAt', what),
    ...(record.owner === undefined ? {} : { owner: readOwner(record, what) }),
    tags: readStrings(record, 'tags', what),
    parameters: readObject(record, 'parameters', what) as RunCreated['parameters'],
    parents: readStrings(record, 'parents', what),
    ...(rawDataPath === undefined ? {} : { rawDataPath }),
    ...(record.code === undefined ? {} : { code: readCode(readObject(record, 'code', what), what) }),
    ...(resumes === undefined ? {} : { resumes }),
    ...(rerun === undefined ? {} : { rerun }),
  };
}

function readCode(record: Record<string, unknown>, what: string): RunCode {
  const [session, entries, listing] = ['session', 'entries', 'listing'].map((field) =>
    readString(record, field, what),
  ) as [string, string, string];
  if (!isSessionId(session) || !isContentKey(entries) || !isContentKey(listing))
    throw new StowageError('RECORD_DAMAGED', `${what} names code that can be none.`, { details: { what } });
  return {
    session,
    name: readString(record, 'name', what),
    files: readInteger(record, 'files', what),
    size: readInteger(record, 'size', what),
    entries,
    listing,
  };
}

function vanished(what: string): StowageError {
  return new StowageError(
    'STORAGE_FAILED',
    `${what} exists and cannot be read; check that no other program changes the store's folders.`,
    { details: { what } },
  );
}

/**
 * Now; and later than every other run of this process, which made it a moment ago, so that they have an order. A clock that was set back
 * by more than a moment counts as it is.
 */
function creationTime(): Date {
  const nowMs = Date.now();
  const isMoment = lastCreatedMs >= nowMs && lastCreatedMs - nowMs < MOMENT_MS;
  lastCreatedMs = isMoment ? lastCreatedMs + 1 : nowMs;
  return new Date(lastCreatedMs);
}

/** The time at which a run was created, in milliseconds since 1970, as one of its files tells; `undefined` for all other files. */
export function parseRunTime(file: string): number | undefined {
  const [, digits] = /^at\.(0|[1-9]\d{0,14})$/.exec(file) ?? [];
  return Number(digits) <= MAX_RUN_TIME_MS ? Number(digits) : undefined;
}

/** The file of a run that says its records are being deleted. It goes last. */
export const RUN_DELETED = 'DELETED';

/** The name of the empty object that says so. */
export function runDeletedName(flow: string, run: string): string {
  return `runs/${flow}/${run}/${RUN_DELETED}`;
}

export function createdName(flow: string, run: string): string {
  return `runs/${flow}/${run}/created.json`;
}

/** A run's record for another store, to which it is no matter where the content lay: the bytes as they are, or without that field. */
export function withoutRawDataPath(
  bytes: Uint8Array,
  what: string,
  kind: string,
  subject: RecordSubject,
): Uint8Array {
  const { rawDataPath, ...fields } = readRecord(bytes, what, kind, subject);
  return rawDataPath === undefined ? bytes : encodeRecord(fields);
}
