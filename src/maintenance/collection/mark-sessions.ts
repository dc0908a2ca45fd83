import { BoundedWork } from '../../async/bounded-work.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { tryCreateOwn } from '../../format/create-own.ts';
import { beatName } from '../../format/open-session.ts';
import { type AttemptRecord, encodeDone, SESSION_FILES } from '../../format/session-files.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { ClosedSession, CollectionMemory } from './collection-memory.ts';
import { readSession } from './kept-by-session.ts';
import { allOf, type Marks } from './marks.ts';
import { markPartial, noteAttempt } from './partial-marks.ts';
import { type ListedSession, listAgain, listSessions } from './session-listing.ts';
import { Cursor } from './sorted-lines.ts';
import type { ValueMarks } from './values-marks.ts';

/** A session without a sign of life for so long may be closed as abandoned. */
export const SILENT_AFTER_MS: number = 24 * 60 * 60 * 1000;
/** So many sessions are read at once. */
const CONCURRENCY = 16;
/**
 * Sessions outside tasks before attempts: an erasure writes values of a closed attempt anew under one, which is open until the attempt's
 * description lists them. So either it is seen open, or the description is read that does.
 */
const PREFIXES = ['loose/', 'flows/'];

/** What the reading of sessions is to do beside marking. */
export interface MarkSessionsOptions extends CallOptions {
  /** Marks of the same collection: what they read of closed sessions is not read again. */
  before?: readonly Marks[];
  /** Told of the values of attempts; only the first mark decides them. */
  values?: ValueMarks;
  /** The store's time, in milliseconds since 1970: sessions that are silent by it are closed as abandoned. Default: none is. */
  storeNowMs?: number;
  onSession?: () => void;
  /** What an earlier collection read of closed sessions. Default: nothing. */
  memory?: CollectionMemory | undefined;
}

/** What was found beside the marks. */
export interface MarkedSessions {
  sessions: number;
  abandoned: number;
  /** When the open session that was opened first says it was, in milliseconds since 1970; `Infinity` without any. */
  oldestOpenMs: number;
}

/**
 * Reads all sessions of a store and marks what they keep (model: `mark`), and then what traces and checkpoints keep. Each is listed before it is read, DONE first, so that one
 * which is closed meanwhile is taken for open, by its pins.
 */
export async function markSessions(
  content: ContentStore,
  marks: Marks,
  { before = [], values, storeNowMs, onSession, memory, signal }: MarkSessionsOptions,
): Promise<MarkedSessions> {
  const found: MarkedSessions = { sessions: 0, abandoned: 0, oldestOpenMs: Number.POSITIVE_INFINITY };
  for (const prefix of PREFIXES) await markAll(prefix);
  await markPartial(content, [...before, marks], { signal });
  return found;

  async function markAll(prefix: string): Promise<void> {
    const known = new Cursor(allOf(before, 'read'));
    const work = new BoundedWork(CONCURRENCY);
    try {
      for await (const listed of listSessions(content.storage, { signal, details: memory !== undefined }, [
        prefix,
      ])) {
        found.sessions += 1;
        onSession?.();
        if (known.has(readLine(listed))) continue;
        const remembered = memory?.session(listed);
        if (remembered) markClosed(listed, remembered);
        else await work.begin(() => markOne(listed));
      }
      await work.finish();
    } finally {
      known.close();
      await work.settle();
    }
  }

  async function markOne(listed: ListedSession): Promise<void> {
    const fate = await readSession(content, listed, { signal });
    if (fate.state === 'open') {
      if (
        storeNowMs !== undefined &&
        (await isSilent(content, listed, fate.attempt, storeNowMs, { signal }))
      ) {
        if (await abandon(content, listed, fate.attempt, { signal })) {
          found.abandoned += 1;
          marks.closed.add(fate.attempt.session);
          noteAttempt(marks, listed, 'abandoned');
          return;
        }
        const now = await listAgain(content.storage, listed, { signal });
        if (now?.files.has('done')) return markOne(now); // its owner was faster
      }
      marks.open.add(fate.attempt.session);
      noteAttempt(marks, listed, 'open');
      found.oldestOpenMs = Math.min(found.oldestOpenMs, Date.parse(fate.attempt.startedAt));
      values?.ofOpen(listed);
      for (const ref of fate.refs) marks.keep(ref);
    } else {
      const { session, outcome } = fate.done;
      const closed = { ...fate, session, outcome };
      if (fate.isAsListed && listed.files.has('done')) memory?.rememberSession(listed, closed);
      markClosed(listed, closed);
    }
  }

  function markClosed(listed: ListedSession, { session, outcome, refs, values: own }: ClosedSession): void {
    marks.closed.add(session);
    noteAttempt(marks, listed, outcome);
    marks.read.add(readLine(listed));
    values?.ofClosed(listed, own);
    for (const ref of refs) marks.keep(ref);
  }
}

/** An erasure describes a session anew, so that what was read before does not count for it. */
function readLine({ base, erasedRevision = -1 }: ListedSession): string {
  // Ascending as the listing is: what follows a base in names of files is a dot.
  return `${base}.\t${erasedRevision}`;
}

/** Silence is told by the times at which the storage wrote objects, never by somebody's clock. */
export async function isSilent(
  { storage }: ContentStore,
  { base }: ListedSession,
  { session }: AttemptRecord,
  storeNowMs: number,
  { signal }: CallOptions,
): Promise<boolean> {
  const sign =
    (await storage.head(beatName(session), { signal })) ??
    (await storage.head(base + SESSION_FILES.attempt, { signal }));
  return sign !== undefined && storeNowMs - sign.modifiedAtMs >= SILENT_AFTER_MS;
}

/** Closes a silent session (model: `abandon`); `false` where somebody else closed it first. */
export async function abandon(
  { storage }: ContentStore,
  { base, subject }: ListedSession,
  { session, origin }: AttemptRecord,
  { signal }: CallOptions,
): Promise<boolean> {
  const closedAt = new Date().toISOString();
  const done = { outcome: 'abandoned', session, closedAt, ...(origin ? { origin } : {}) } as const;
  const body = encodeDone(done, subject);
  return tryCreateOwn(storage, base + SESSION_FILES.done, body, { signal, durability: 'immediate' });
}
