import { isStowageError, StowageError } from '../errors.ts';
import { type LogChoice, type LogName, LogPartNames, validateLogChoice } from '../format/log-names.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage, DeleteFailure } from '../storage/contract.ts';
import { type ListedLog, listLogs } from './log-reader.ts';

/** A log whose text was given up. */
export interface ScrubbedLog extends LogName {
  /** The bytes that were deleted; 0 if it had been scrubbed before. */
  bytes: number;
}

/** The scrub of one log. */
export interface LogScrub extends ScrubbedLog {
  /** The sequence number behind the note. */
  next: number;
  failures: readonly DeleteFailure[];
}

/** All of what is left in the place of a log. A part that says this holds nothing else, whoever wrote it. */
const NOTE = /^\[scrubbed \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\]\n$/;
/** The length of a scrub's note. */
export const NOTE_BYTES = 36;
/** Others may take the number of the note so often. */
const MAX_TRIES = 16;
/** An error message lists so many names. */
const MAX_SHOWN_NAMES = 3;

/**
 * Deletes the text of an attempt's logs, and leaves a note of the time in its place. Of each log it creates the
 * note as the next part, and then deletes the parts before it, so that a reader finds the old log, what is left of
 * it and the note, or the note. A scrub that broke off is finished by another, several at once do no harm, and a
 * log that was scrubbed stays as it is.
 *
 * The attempt must be closed: an open one is scrubbed by its owner, who else would go on with the number of the
 * note.
 *
 * @returns the logs that were chosen; none means that there is no such log
 * @throws StowageError `STORAGE_NOT_PERMITTED` or `STORAGE_FAILED` where something is not confirmed deleted, and
 * may still be read: `details.names` lists it.
 */
export async function scrubLogs(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  choice: LogChoice,
  options: CallOptions,
): Promise<ScrubbedLog[]> {
  validateLogChoice(choice);
  const scrubs: LogScrub[] = [];
  for (const log of await listLogs(storage, path, attempt, options, choice)) {
    scrubs.push(await scrubLog(storage, path, attempt, log, options));
  }
  return toScrubbedLogs(storage, path, attempt, scrubs);
}

/** Scrubs one log, as it was listed just now; one that has no parts yet gets a note as its first. */
export async function scrubLog(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  listed: ListedLog,
  { signal }: CallOptions,
): Promise<LogScrub> {
  const names = new LogPartNames(path, attempt);
  const { source, stream } = listed;
  let log = listed;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const last = log.parts.at(-1);
    const lastSequence = names.parse(last ?? '')?.sequence ?? -1;
    if (last !== undefined && (await isNote(storage, last, { signal }))) {
      const failures = await deleteAll(storage, log.parts.slice(0, -1), { signal });
      return { source, stream, bytes: log.bytes - NOTE_BYTES, next: lastSequence + 1, failures };
    }
    // Durable before anything is deleted. Others may have taken the number: a scrub at the same time, a write that
    // was given up.
    const note = Buffer.from(`[scrubbed ${new Date().toISOString()}]\n`);
    if (await storage.create(names.format(log, lastSequence + 1), note, { signal })) {
      const failures = await deleteAll(storage, log.parts, { signal });
      return { source, stream, bytes: log.bytes, next: lastSequence + 2, failures };
    }
    const [found] = await listLogs(storage, path, attempt, { signal }, { source, stream });
    if (!found) return { source, stream, bytes: 0, next: lastSequence + 1, failures: [] }; // retired meanwhile
    log = found;
  }
  throw new StowageError(
    'STORAGE_FAILED',
    `The log ${source}.${stream} of ${formatPathspec(path, attempt)} cannot be scrubbed while others append to it: it is as it was. End who writes it, and scrub it again.`,
    { details: { source, stream } },
  );
}

/**
 * Tells the caller of a scrub what is gone, and nothing else.
 *
 * @throws StowageError `STORAGE_NOT_PERMITTED`, `STORAGE_FAILED`
 */
export function toScrubbedLogs(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  scrubs: readonly LogScrub[],
): ScrubbedLog[] {
  const failures = scrubs.flatMap((scrub) => scrub.failures);
  const [first] = failures;
  if (!first) return scrubs.map(({ source, stream, bytes }) => ({ source, stream, bytes }));
  const isForbidden = failures.every(({ error }) => isStowageError(error, 'STORAGE_NOT_PERMITTED'));
  const names = failures.map(({ name }) => name);
  const shown = names.slice(0, MAX_SHOWN_NAMES).map((name) => storage.uri(name));
  const more = names.length > shown.length ? `, and ${names.length - shown.length} more` : '';
  throw new StowageError(
    isForbidden ? 'STORAGE_NOT_PERMITTED' : 'STORAGE_FAILED',
    `Of the logs of ${formatPathspec(path, attempt)}, ${names.length} parts are not confirmed deleted, and may still be read: ${shown.join(', ')}${more}. ${first.error.message} Then scrub the logs again.`,
    { details: { flow: path.flow, pathspec: formatPathspec(path, attempt), names }, cause: first.error },
  );
}

/** Knows the note that a scrub left among the parts of a log. */
export async function isNote(
  storage: DataStoreStorage,
  name: string,
  { signal }: CallOptions,
): Promise<boolean> {
  const found = await storage.get(name, { signal, range: { offset: 0, length: NOTE_BYTES } });
  return found?.bytes === NOTE_BYTES && NOTE.test(Buffer.from(found.body).toString('latin1'));
}

async function deleteAll(
  storage: DataStoreStorage,
  names: readonly string[],
  { signal }: CallOptions,
): Promise<DeleteFailure[]> {
  return names.length === 0 ? [] : storage.delete(names, { signal });
}
