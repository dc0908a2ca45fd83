import { isChosen, type LogChoice, type LogName, LogPartNames, logId } from '../format/log-names.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

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

/** One LIST: how long one log is, in bytes; 0 where nothing was logged. */
export async function logSize(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  { source, stream }: LogName,
  options: CallOptions,
): Promise<number> {
  const [log] = await listLogs(storage, path, attempt, options, { source, stream });
  return log?.bytes ?? 0;
}

/** One log of an attempt, piece by piece, as it was written. */
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
