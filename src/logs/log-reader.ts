import { constants } from 'node:buffer';
import { StowageError } from '../errors.ts';
import { isChosen, type LogChoice, type LogName, LogPartNames, logId } from '../format/log-names.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { validateLogName } from '../storage/names.ts';

/** A log that a listing showed. */
export interface ListedLog extends LogName {
  /** The length of all its parts together. */
  bytes: number;
  /** The names of its parts, in the order in which they were written. */
  parts: string[];
}

/** One LIST: the logs of an attempt, all or those of `choice`, and how long each is in bytes. */
export async function listLogs(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  { signal }: CallOptions,
  choice: LogChoice = {},
): Promise<ListedLog[]> {
  const names = new LogPartNames(path, attempt);
  const logs = new Map<string, ListedLog>();
  for await (const page of storage.list({ prefix: names.prefix(choice), details: true, signal })) {
    for (const { name, bytes } of page.objects) {
      const part = names.parse(name);
      if (!part || !isChosen(part, choice)) continue;
      const { source, stream } = part;
      let log = logs.get(logId(part));
      if (!log) {
        log = { source, stream, bytes: 0, parts: [] };
        logs.set(logId(part), log);
      }
      log.bytes += bytes ?? 0;
      log.parts.push(name);
    }
  }
  return [...logs.values()];
}

/**
 * One LIST: one log; `undefined` where nothing was logged.
 *
 * @throws StowageError `INVALID_NAME`
 */
export async function findLog(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  { source, stream }: LogName,
  options: CallOptions,
): Promise<ListedLog | undefined> {
  validateLogName(source, 'log source');
  validateLogName(stream, 'log stream');
  return (await listLogs(storage, path, attempt, options, { source, stream }))[0];
}

/** The parts of a log that was listed, as they were written. */
export async function* readLog(
  storage: DataStoreStorage,
  parts: readonly string[],
  { signal }: CallOptions,
): AsyncGenerator<Uint8Array> {
  for (const name of parts) {
    const object = await storage.get(name, { signal });
    if (object) yield object.body; // a part that is gone was scrubbed or retired since it was listed
  }
}

/**
 * A log that was listed, as text.
 *
 * @throws StowageError `CONTENT_TOO_LARGE` where it is longer than a text can be
 */
export async function loadLog(
  storage: DataStoreStorage,
  { source, stream, parts }: ListedLog,
  options: CallOptions,
): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of readLog(storage, parts, options)) {
    bytes += piece.length;
    if (bytes > constants.MAX_STRING_LENGTH) {
      throw new StowageError(
        'CONTENT_TOO_LARGE',
        `The log ${source}.${stream} is longer than a text can be; read it by streamLogs.`,
        { details: { source, stream } },
      );
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
