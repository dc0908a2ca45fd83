import { createOwn } from '../content/create-own.ts';
import { padSequence } from '../content/session-id.ts';
import { StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { validateLogName } from '../storage/names.ts';
import { logBase } from './attempt-files.ts';
import type { TaskPath } from './pathspec.ts';

/** What to append to the logs of an attempt: text or bytes by stream, `stdout` and `stderr` as a rule. */
export type LogStreams = Record<string, string | Uint8Array>;

/** A log of an attempt. */
export interface LogName {
  /** Who wrote it: `task`, `runtime`, or what you like; `[A-Za-z0-9_-]{1,32}`. */
  source: string;
  /** `stdout`, `stderr`, or what you like; `[A-Za-z0-9_-]{1,32}`. */
  stream: string;
}

/** What is longer is written as several parts, so that each can be read at once. */
const MAX_PART_BYTES = 8 * 1024 * 1024;

/** Appends to the logs of an attempt; each call adds one part to each stream, and nothing is ever rewritten. */
export class LogWriter {
  readonly #storage: DataStoreStorage;
  readonly #base: string;
  readonly #parts = new Map<string, number>();

  constructor(storage: DataStoreStorage, path: TaskPath, attempt: number) {
    this.#storage = storage;
    this.#base = logBase(path, attempt);
  }

  async append(source: string, streams: LogStreams, { signal }: CallOptions): Promise<void> {
    validateLogName(source, 'log source');
    if (
      typeof streams !== 'object' ||
      streams === null ||
      Array.isArray(streams) ||
      ArrayBuffer.isView(streams)
    ) {
      throw new StowageError(
        'INVALID_ARGUMENT',
        `Logs are saved by stream: pass an object such as { stdout: text }, not ${Array.isArray(streams) ? 'a list' : typeof streams}.`,
      );
    }
    const parts = Object.entries(streams).map(([stream, data]) => {
      validateLogName(stream, 'log stream');
      return { log: `${source}.${stream}`, body: toBytes(data, stream) };
    });
    for (const { log, body } of parts) {
      for (let start = 0; start === 0 || start < body.length; start += MAX_PART_BYTES) {
        const part = this.#parts.get(log) ?? 0;
        this.#parts.set(log, part + 1);
        const name = `${this.#base}.${log}.${padSequence(part)}`;
        const piece = body.subarray(start, start + MAX_PART_BYTES);
        await createOwn(this.#storage, name, piece, { signal, durability: 'deferred' });
      }
    }
  }
}

/** The logs of an attempt, and how long each is in bytes. */
export async function listLogs(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  { signal }: CallOptions,
): Promise<(LogName & { bytes: number; parts: string[] })[]> {
  const prefix = `${logBase(path, attempt)}.`;
  const logs = new Map<string, LogName & { bytes: number; parts: string[] }>();
  for await (const page of storage.list({ prefix, details: true, signal })) {
    for (const { name, bytes } of page.objects) {
      const [source, stream, part, ...more] = name.slice(prefix.length).split('.');
      if (source === undefined || stream === undefined || !/^\d{8,}$/.test(part ?? '') || more.length > 0)
        continue;
      const id = `${source}.${stream}`;
      let log = logs.get(id);
      if (!log) {
        log = { source, stream, bytes: 0, parts: [] };
        logs.set(id, log);
      }
      log.bytes += bytes ?? 0;
      log.parts.push(name);
    }
  }
  return [...logs.values()];
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

function toBytes(data: unknown, stream: string): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  if (data instanceof Uint8Array) return data;
  throw new StowageError(
    'INVALID_ARGUMENT',
    `The log stream ${stream} must be text or bytes, not ${typeof data}.`,
    {
      details: { stream },
    },
  );
}
