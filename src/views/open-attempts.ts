import { mapBounded } from '../async/bounded-work.ts';
import { type ReadAttempt, readAttempt } from '../attempts/attempt-reader.ts';
import { isStowageError } from '../errors.ts';
import { attemptBase, type ListedTask, latestAttempt, listTasks } from '../format/attempt-files.ts';
import { beatName } from '../format/open-session.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { type Owner, SESSION_FILES } from '../format/session-files.ts';
import type { StoreView } from './store-view.ts';

/** An attempt that nobody has closed, and the process that should. */
export interface OpenAttemptView extends TaskPath {
  attempt: number;
  /** ISO 8601, by its owner's clock. */
  startedAt: string;
  owner: Owner;
  /** The time at which its owner last gave a sign of life, ISO 8601, by the storage's clock; see {@link lastSignOf}. */
  heardAt?: string;
}

/** So many attempts are read at once. */
const CONCURRENCY = 32;

/**
 * The time at which the owner of an open attempt last gave a sign of life, by the storage's clock: that of its heartbeat, which it writes
 * every ten minutes, or of attempt.json before the first. `undefined` for an attempt that is closed. One or two requests.
 */
export async function lastSignOf(
  { storage, signal }: Pick<StoreView, 'storage' | 'signal'>,
  { path, attempt, status, opened }: ReadAttempt,
): Promise<string | undefined> {
  if (status !== 'open' || !opened) return undefined;
  const heard =
    (await storage.head(beatName(opened.session), { signal })) ??
    (await storage.head(attemptBase(path, attempt) + SESSION_FILES.attempt, { signal }));
  return heard && new Date(heard.modifiedAtMs).toISOString();
}

/**
 * The tasks of a run whose latest attempt is open, in the order of their names. One LIST, and up to four requests for each of them.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export async function openAttempts(
  view: StoreView,
  run: { flow: string; run: string },
): Promise<OpenAttemptView[]> {
  const { storage, content, signal } = view;
  const unclosed: ListedTask[] = [];
  for await (const task of listTasks(storage, run, { signal })) {
    const files = task.attempts.get(latestAttempt(task.attempts));
    if (!files?.has('done') && !files?.has('deleted')) unclosed.push(task);
  }
  const found = await mapBounded(unclosed, CONCURRENCY, async ({ path, attempts }) => {
    try {
      const read = await readAttempt(storage, content.reader, path, attempts, { allowNotDone: true }, view);
      return read.opened && { read, opened: read.opened, heardAt: await lastSignOf(view, read) };
    } catch (error) {
      if (isStowageError(error, 'ATTEMPT_DELETED')) return undefined; // since it was listed
      throw error;
    }
  });
  return found.flatMap((one) => {
    if (!one) return [];
    const { read, opened, heardAt } = one;
    const { path, attempt, startedAt } = read;
    const heard = heardAt === undefined ? {} : { heardAt };
    return [{ ...path, attempt, startedAt, owner: opened.owner, ...heard }];
  });
}
