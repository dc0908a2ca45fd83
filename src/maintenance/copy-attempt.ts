import { type ReadAttempt, readAttempt } from '../attempts/attempt-reader.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { AttemptFiles } from '../format/attempt-files.ts';
import {
  attemptBase,
  attemptSession,
  attemptSubject,
  readDone as findDone,
  listAttempts,
  partialBase,
} from '../format/attempt-files.ts';
import { createOwn } from '../format/create-own.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import { type DoneRecord, decodeAttempt, readSessionFile, SESSION_FILES } from '../format/session-files.ts';
import { type ClosedResult, isSameResult, originOf } from '../sessions/closed-result.ts';
import {
  CopiedSession,
  type CopyIdentity,
  copiedSessionId,
  givenUp,
  type OwnRows,
  refused,
} from '../sessions/copied-session.ts';
import type { CallOptions, ListedObject } from '../storage/contract.ts';
import {
  contentsOf,
  copyOwnRows,
  keepsOwn,
  relyOnStaged,
  type SourceAttempt,
  type StagedContents,
  stageContents,
} from './copy-content.ts';
import type { CopyContext } from './copy-context.ts';
import { copyLogs } from './copy-logs.ts';
import { type PartialToCopy, partialOf, stagePartial, writePartial } from './copy-partial.ts';

/** An attempt of the source, as listings of both stores showed it. */
export interface AttemptToCopy {
  path: TaskPath;
  attempt: number;
  files: AttemptFiles;
  /** The attempts after it that are closed. */
  later: readonly number[];
  /** The state of it in the target. */
  targetFiles: AttemptFiles | undefined;
  /** The task's log parts. */
  logs: readonly ListedObject[];
  targetLogs: readonly ListedObject[];
}

/**
 * Copies one attempt that is closed in the source. Its DONE is read first, and the target's written last.
 *
 * @throws StowageError `ATTEMPT_EXISTS`, `ATTEMPT_FENCED` where the target holds something else under its number; what reading
 * and writing throw
 */
export async function copyAttempt(
  context: CopyContext,
  attempt: AttemptToCopy,
): Promise<'copied' | 'present' | 'open'> {
  if (!attempt.files.has('done')) return 'open';
  try {
    return await copyClosed(context, attempt);
  } catch (error) {
    if (!isStowageError(error, 'CONTENT_NOT_FOUND', 'CONTENT_DAMAGED', 'RECORD_DAMAGED', 'ATTEMPT_DELETED'))
      throw error;
    // Retention may have given it up meanwhile; then that is what there is to copy.
    const files = (await listAttempts(context.source.storage, attempt.path, context.options)).get(
      attempt.attempt,
    );
    if (!files || isSameSet(files, attempt.files)) throw error;
    return copyClosed(context, { ...attempt, files });
  }
}

async function copyClosed(context: CopyContext, attempt: AttemptToCopy): Promise<'copied' | 'present'> {
  const { targetFiles } = attempt;
  if (targetFiles?.has('done')) {
    await checkPresent(context, attempt, targetFiles);
    if (!context.dryRun) await logsOf(context, attempt);
    if (isOutlived(attempt.files, targetFiles)) context.report.outlived += 1;
    return 'present';
  }
  const { path, attempt: number } = attempt;
  const result = await readResult(context.source, attempt, attempt.files, context.options);
  const origin = originOf(result.done, context.sourceId);
  if (targetFiles) await checkInterrupted(context, attempt, origin.session);
  const table = result.purged ? undefined : result.described?.table;
  const source = { path, attempt: number };
  const reports = table ? result.described?.reports : [];
  const staged = table ? await contentsOf(context, table, source, reports) : [];
  const own = table && keepsOwn(context) ? table.artifacts.filter((entry) => entry.own) : [];
  const leavesRecords = result.done.outcome !== 'done' && !result.purged && !result.deleted;
  const partial = leavesRecords ? await partialOf(context, source, attempt.later) : [];
  if (context.dryRun || context.targetId === undefined) {
    for (const { address } of [...staged, ...partial.flatMap(({ contents }) => contents)])
      context.report.wouldCopy(address.bytes ?? 0);
    for (const { bytes } of own) context.report.wouldCopy(bytes);
    return 'copied';
  }
  const copy: CopyIdentity = {
    ...attemptSession(path, number),
    session: copiedSessionId(context.targetId, origin),
    origin,
    what: whatOf(attempt),
  };
  const alongside = async (): Promise<void> => {
    await logsOf(context, attempt);
    if (result.done.outcome === 'abandoned') await copyParts(context, path, number);
  };
  await copySession(context, copy, result, staged, {
    alongside,
    own: { source, artifacts: own },
    partial,
  });
  return 'copied';
}

/** What belongs to a session beside its description. */
interface SessionParts {
  /** Done once the session is open. */
  alongside?: () => Promise<void>;
  /** Rows whose values are the attempt's own in the target, too. */
  own?: { source: SourceAttempt; artifacts: readonly ArtifactEntry[] };
  /** What it left for the attempt after it. */
  partial?: readonly PartialToCopy[];
}

const NO_ROWS: OwnRows = new Map();

/** Brings content to the target first, and only then opens, describes and closes the session that refers to it. */
export async function copySession(
  context: CopyContext,
  copy: CopyIdentity,
  result: ClosedResult,
  contents: Awaited<ReturnType<typeof contentsOf>>,
  { alongside = async () => {}, own, partial = [] }: SessionParts = {},
): Promise<void> {
  const count = contents.length + (own?.artifacts.length ?? 0) + partial.length;
  if (count === 0) return writeSession(context, copy, result, undefined, NO_ROWS, alongside);
  await context.staging.use(count, async (session) => {
    const main = await stageContents(context, contents, session);
    const rows = own ? await copyOwnRows(context, own.source, own.artifacts, session) : NO_ROWS;
    const { records, staged } = await stagePartial(context, partial, session, main);
    await writeSession(context, copy, result, staged, rows, async () => {
      await alongside();
      await writePartial(context, copy, records, staged.stored);
    });
    context.report.contentBytes += staged.contentBytes;
    context.report.bytesDeduplicated += staged.bytesDeduplicated;
  });
}

async function writeSession(
  context: CopyContext,
  copy: CopyIdentity,
  result: ClosedResult,
  staged: StagedContents | undefined,
  own: OwnRows,
  alongside: () => Promise<void>,
): Promise<void> {
  const { target: store, staging, options } = context;
  const stored = staged?.stored ?? new Map();
  const copied = await CopiedSession.open({ store, staging, options }, copy, result, [...stored.keys()]);
  try {
    if (staged) await relyOnStaged(context, copy, staged);
    await alongside();
    await copied.describe(stored, own);
    await copied.close();
  } finally {
    await copied.abandon();
  }
}

/** The target has the attempt closed: it must be the same, or have the same result. */
async function checkPresent(
  context: CopyContext,
  attempt: AttemptToCopy,
  targetFiles: AttemptFiles,
): Promise<void> {
  const { source, target, sourceId, targetId = '', options } = context;
  const [ours, theirs] = await Promise.all([
    readDone(source, attempt, options),
    readDone(target, attempt, options),
  ]);
  const origin = originOf(ours, sourceId).session;
  if (originOf(theirs, targetId).session === origin) {
    if (theirs.outcome === 'abandoned' && ours.outcome !== 'abandoned') throw givenUp(whatOf(attempt));
    return;
  }
  if (ours.outcome === 'abandoned' && theirs.outcome === 'abandoned') return;
  if (theirs.outcome === 'abandoned') {
    // What a copy left open carries its mark in attempt.json only; the one who gave up on it did not know.
    if ((await copiedFrom(context, attempt)) === origin) throw givenUp(whatOf(attempt));
    throw refused(whatOf(attempt), 'was given up there');
  }
  if (targetFiles.has('deleted')) throw refused(whatOf(attempt), 'was another attempt there, and is deleted');
  const [result, standing] = await Promise.all([
    readResult(source, attempt, attempt.files, options),
    readResult(target, attempt, targetFiles, options),
  ]);
  if (!isSameResult(result, standing)) throw refused(whatOf(attempt), 'has another result there');
}

/** The target has the attempt open: a copy of the same must have been interrupted. */
async function checkInterrupted(context: CopyContext, attempt: AttemptToCopy, origin: string): Promise<void> {
  if ((await copiedFrom(context, attempt)) === origin) return;
  throw refused(whatOf(attempt), 'is open there: somebody works on it, or did');
}

/** The origin that the target's attempt.json names, if it is a copy. */
async function copiedFrom(
  { target, options }: CopyContext,
  attempt: AttemptToCopy,
): Promise<string | undefined> {
  const subject = attemptSubject(attempt.path, attempt.attempt);
  const name = attemptBase(attempt.path, attempt.attempt) + SESSION_FILES.attempt;
  const standing = await readSessionFile(target.storage, name, options);
  return standing && decodeAttempt(standing, target.storage.uri(name), subject).origin?.session;
}

async function readDone(
  { storage }: ContentAddressedStore,
  { path, attempt }: Pick<AttemptToCopy, 'path' | 'attempt'>,
  options: CallOptions,
): Promise<DoneRecord> {
  const done = await findDone(storage, path, attempt, options);
  if (done) return done;
  const name = attemptBase(path, attempt) + SESSION_FILES.done;
  throw new StowageError(
    'RECORD_DAMAGED',
    `${storage.uri(name)} is damaged: it was listed but cannot be read. Restore it from a copy of the store.`,
    { details: { what: name } },
  );
}

async function readResult(
  store: ContentAddressedStore,
  { path, attempt }: Pick<AttemptToCopy, 'path' | 'attempt'>,
  files: AttemptFiles,
  options: CallOptions,
): Promise<ClosedResult> {
  if (!files.has('deleted')) {
    const attempts = new Map([[attempt, new Set(files)]]);
    const rule = { attempt, allowNotDone: true };
    return toResult(await readAttempt(store.storage, store.reader, path, attempts, rule, options));
  }
  const done = await readDone(store, { path, attempt }, options);
  const name = attemptBase(path, attempt) + SESSION_FILES.attempt;
  const opened = await readSessionFile(store.storage, name, options);
  const { startedAt, label } = opened
    ? decodeAttempt(opened, store.storage.uri(name), attemptSubject(path, attempt))
    : { startedAt: done.closedAt };
  return { done, startedAt, label, purged: false, deleted: true };
}

async function logsOf(
  context: CopyContext,
  { path, attempt, logs, targetLogs }: AttemptToCopy,
): Promise<void> {
  await copyLogs(context, path, attempt, logs, targetLogs);
}

/** The metadata of an attempt that nobody described in the end. */
async function copyParts(
  { source, target, options }: CopyContext,
  path: TaskPath,
  attempt: number,
): Promise<void> {
  const prefix = `${partialBase(path, attempt)}.metadata.`;
  for await (const page of source.storage.list({ prefix, ...options })) {
    for (const { name } of page.objects) {
      const part = await source.storage.get(name, options);
      if (part) await createOwn(target.storage, name, part.body, { ...options, durability: 'deferred' });
    }
  }
}

/** A mark comes and a description goes, so that their number alone says nothing. */
function isSameSet(a: AttemptFiles, b: AttemptFiles): boolean {
  return a.size === b.size && a.erasedRevision === b.erasedRevision && [...a].every((file) => b.has(file));
}

/** The source gave up what the target still has. */
function isOutlived(files: AttemptFiles, targetFiles: AttemptFiles): boolean {
  if (targetFiles.has('deleted')) return false;
  if (files.has('deleted')) return true;
  if ((files.erasedRevision ?? -1) > (targetFiles.erasedRevision ?? -1)) return true;
  return files.has('purged') && !targetFiles.has('purged');
}

function whatOf({ path, attempt }: Pick<AttemptToCopy, 'path' | 'attempt'>): string {
  return `Attempt ${path.flow}/${formatPathspec(path, attempt)}`;
}

/** A closed attempt that was read. */
function toResult({
  done,
  startedAt,
  label,
  described,
  metadata,
  purged,
  erased,
}: ReadAttempt): ClosedResult {
  const description = described && {
    described: {
      table: described.table(),
      reports: described.reports,
      metadata,
      readFrom: described.readFrom,
      takenOver: described.takenOver,
      returned: described.returned,
    },
  };
  return {
    done: done as DoneRecord,
    startedAt,
    label,
    ...description,
    purged,
    deleted: false,
    ...(erased ? { erased } : {}),
  };
}
