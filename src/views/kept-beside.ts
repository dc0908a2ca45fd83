import { readDone, type TaskAttempts } from '../format/attempt-files.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { type PartialName, parsePartialName, partialPrefix } from '../format/partial-names.ts';
import { readPartial, withoutOlderCheckpoints } from '../format/partial-records.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { type ReportEntry, readReportVersions } from '../format/report-records.ts';
import { readRunCreated } from '../format/run-records.ts';
import { SESSION_FILES } from '../format/session-files.ts';
import { SESSION_PATTERN, type SessionId } from '../format/session-id.ts';
import { readStandaloneResult } from '../sessions/standalone-result.ts';
import type { AttemptDetail, TaskView } from './attempts.ts';
import type { RunPath, StorePath } from './paths.ts';
import { type StoreView, unreadable } from './store-view.ts';

const standaloneRegExp = new RegExp(`^loose/(${SESSION_PATTERN})(\\.[^/]+)$`);

/** A record of a trace or a checkpoint, and its length. */
type ListedRecord = PartialName & { bytes: number };

/** The attempts of tasks of which traces and checkpoints keep content alive, by the beginnings of the records' names. */
export class ReplayableAttempts {
  readonly #attempts = new Map<string, Set<number>>();

  /**
   * Takes those that are open, failed or abandoned behind the latest that is done, deleted or not, unless a mark gives them up. One GET of each
   * that was deleted after one of them, up to the first that was done.
   */
  async add(view: StoreView, { path, attempts }: TaskView, files: TaskAttempts): Promise<void> {
    let latestDone = attempts.findLastIndex(({ status }) => status === 'done');
    const first = attempts.findIndex((one, index) => index > latestDone && isReplayable(one));
    if (first === -1) return;
    for (let index = attempts.length - 1; index > first && latestDone < first; index--) {
      const { attempt, status } = attempts[index] as AttemptDetail;
      const mayBeDone = status === 'deleted' && files.get(attempt)?.has('done');
      if (mayBeDone && (await wasDone(view, path, attempt))) latestDone = index;
    }
    const kept = attempts.slice(latestDone + 1).filter(isReplayable);
    if (kept.length > 0) this.#attempts.set(partialPrefix(path), new Set(kept.map((one) => one.attempt)));
  }

  has({ path, attempt }: PartialName): boolean {
    return this.#attempts.get(partialPrefix(path))?.has(attempt) ?? false;
  }
}

/** Gives the records of traces and checkpoints below a path: one LIST. */
export async function* listRecords(
  { storage, signal }: StoreView,
  { flow, run, step, task }: RunPath & StorePath,
): AsyncGenerator<ListedRecord, void> {
  const below = [flow, run, step, task].filter((part) => part !== undefined);
  for await (const page of storage.list({ prefix: `partial/${below.join('/')}/`, details: true, signal })) {
    for (const { name, bytes = 0 } of page.objects) {
      const record = parsePartialName(name);
      if (record) yield { ...record, bytes };
    }
  }
}

/** Passes records on, and tells of each whether it keeps content alive: of the checkpoints of an attempt the last. */
export async function* keepingRecords(
  records: AsyncIterable<ListedRecord>,
  replayable: ReplayableAttempts,
  onRecord: (record: ListedRecord) => void,
): AsyncGenerator<ListedRecord, void> {
  async function* told(): AsyncGenerator<ListedRecord, void> {
    for await (const record of records) {
      onRecord(record);
      if (replayable.has(record)) yield record;
    }
  }
  yield* withoutOlderCheckpoints(told());
}

/** The rows of a record; none of one that is gone or cannot be read. One GET. */
export async function rowsOfRecord(view: StoreView, record: PartialName): Promise<readonly ArtifactEntry[]> {
  return orUnread(view, async () => (await readPartial(view.storage, record, view))?.table.artifacts);
}

/** The latest reports of an attempt, as far as they are kept: those of the description; one LIST, and a GET each, of one that is open. */
export async function keptReports(
  view: StoreView,
  path: TaskPath,
  { attempt, status, purged, reports }: AttemptDetail,
): Promise<readonly ReportEntry[]> {
  if (purged) return [];
  if (reports || status !== 'open') return reports ?? [];
  const versions = await orUnread(view, () => readReportVersions(view.storage, path, attempt, view));
  return versions.map(({ report }) => report);
}

/** The session that keeps the code of a run; `undefined` of a run without. One GET. */
export async function codeSessionOf(view: StoreView, { flow, run }: RunPath): Promise<SessionId | undefined> {
  const [session] = await orUnread(view, async () => {
    const code = (await readRunCreated(view.storage, flow, run, view))?.code;
    return code && [code.session];
  });
  return session;
}

/** What a session outside tasks keeps, and whether that is a published version; `undefined` of one that was released. Two GETs. */
export async function keptBySession(
  view: StoreView,
  session: SessionId,
): Promise<{ rows: readonly ArtifactEntry[]; isPublished: boolean } | undefined> {
  const [kept] = await orUnread(view, async () => {
    const described = (await readStandaloneResult(view.content, session, view))?.described;
    if (!described) return undefined;
    const isPublished = described.metadata.published !== undefined;
    return [{ rows: described.table.artifacts, isPublished }];
  });
  return kept;
}

/** Gives the closed sessions outside tasks that nobody has released: one LIST. */
export async function* standaloneSessions({ storage, signal }: StoreView): AsyncGenerator<SessionId, void> {
  let released: SessionId | undefined;
  for await (const page of storage.list({ prefix: 'loose/', signal })) {
    for (const { name } of page.objects) {
      const [, session, suffix] = standaloneRegExp.exec(name) ?? [];
      // Marks come before DONE in the order of names.
      if (suffix === SESSION_FILES.deleted) released = session;
      if (suffix === SESSION_FILES.done && session !== undefined && session !== released) yield session;
    }
  }
}

async function wasDone(view: StoreView, path: TaskPath, attempt: number): Promise<boolean> {
  const [done] = await orUnread(view, async () => {
    const read = await readDone(view.storage, path, attempt, view);
    return read && [read];
  });
  return done?.outcome === 'done';
}

function isReplayable({ status, purged }: AttemptDetail): boolean {
  return (status === 'open' || status === 'failed' || status === 'abandoned') && purged === undefined;
}

/** What cannot be read counts for nothing, and the view is told. */
async function orUnread<T>(
  view: StoreView,
  read: () => Promise<readonly T[] | undefined>,
): Promise<readonly T[]> {
  try {
    return (await read()) ?? [];
  } catch (error) {
    unreadable(view, error);
    return [];
  }
}
