import { isOfOneRecord } from '../../attempts/run-listing.ts';
import type { ContentStore } from '../../content/content-store.ts';
import type { StowageError } from '../../errors.ts';
import { readRunFinished } from '../../format/run-ends.ts';
import { readRunPin } from '../../format/run-pins.ts';
import { createdName, readRunCreated } from '../../format/run-records.ts';
import { decodeAttempt, readSessionFile, SESSION_FILES } from '../../format/session-files.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { isSilent, SILENT_AFTER_MS } from '../collection/mark-sessions.ts';
import { listSessions } from '../collection/session-listing.ts';
import type { RunStatus } from './policy.ts';
import type { StoredRun } from './survey.ts';

/** What the records of a run tell that a policy asks for. */
export interface RunFacts {
  status: RunStatus;
  tags: readonly string[];
  isPinned: boolean;
  isRunning: boolean;
  /** The error of a record that cannot be read: nothing is known of the run. */
  problem?: StowageError;
}

/** Reads what a policy asks of a run: up to three requests, and of a run that may still run as many as its open attempts take. */
export async function readRunFacts(
  content: ContentStore,
  run: StoredRun,
  nowMs: number,
  options: CallOptions,
): Promise<RunFacts> {
  const { storage } = content;
  const { flow, run: id, finished, latestEnd, latestPin, isRecorded } = run;
  try {
    const [created, end, pin] = await Promise.all([
      isRecorded ? readRunCreated(storage, flow, id, options) : undefined,
      finished ? readRunFinished(storage, flow, id, options, latestEnd) : undefined,
      readRunPin(storage, flow, id, options, latestPin),
    ]);
    const isRunning = (!end || run.open > 0) && (await showsLife(content, run, nowMs, options));
    const open: RunStatus = isRunning ? 'open' : 'abandoned';
    const { tags = [] } = created ?? {};
    return { status: end?.status ?? open, tags, isPinned: pin?.pinned === true, isRunning };
  } catch (error) {
    if (!isOfOneRecord(error)) throw error;
    return { status: 'open', tags: [], isPinned: false, isRunning: false, problem: error };
  }
}

/**
 * True if something in a run gave a sign of life in the last 24 hours, by the times at which the storage wrote objects: it was made, an attempt was
 * opened or closed, or the owner of an open one was heard.
 *
 * @param nowMs the store's time
 */
export async function showsLife(
  content: ContentStore,
  { flow, run }: { flow: string; run: string },
  nowMs: number,
  { signal }: CallOptions,
): Promise<boolean> {
  const { storage } = content;
  const isRecent = (modifiedAtMs: number): boolean => nowMs - modifiedAtMs < SILENT_AFTER_MS;
  const created = await storage.head(createdName(flow, run), { signal });
  if (created && isRecent(created.modifiedAtMs)) return true;
  const prefix = `flows/${flow}/${run}/`;
  for await (const page of storage.list({ prefix, details: true, signal })) {
    for (const { name, modifiedAtMs = nowMs } of page.objects) {
      const isSign = name.endsWith(SESSION_FILES.attempt) || name.endsWith(SESSION_FILES.done);
      if (isSign && isRecent(modifiedAtMs)) return true;
    }
  }
  for await (const listed of listSessions(storage, { signal }, [prefix])) {
    if (listed.files.has('done') || listed.files.has('deleted')) continue;
    const name = listed.base + SESSION_FILES.attempt;
    const bytes = await readSessionFile(storage, name, { signal });
    if (!bytes) continue;
    const attempt = decodeAttempt(bytes, storage.uri(name), listed.subject);
    if (!(await isSilent(content, listed, attempt, nowMs, { signal }))) return true;
  }
  return false;
}
