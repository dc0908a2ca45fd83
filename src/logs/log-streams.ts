import { closeSync, createReadStream, openSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { invalidArgument, StowageError } from '../errors.ts';
import { validateLogName } from '../storage/names.ts';
import { endSource } from '../streams/end-source.ts';
import { checkUnread, takeOnce } from '../streams/read-once.ts';

/** A file whose bytes are a log. */
export interface LogFile {
  /** Its path, or its `file:` URL. */
  path: string | URL;
}

/**
 * Data of one log: text or bytes; a stream of either, such as a child process's `stdout`, any Node `Readable` or
 * web `ReadableStream`; or a file, which is streamed. Text is written as UTF-8.
 */
export type LogData = string | Uint8Array | AsyncIterable<string | Uint8Array> | LogFile;

/** Data of the logs of an attempt, by stream: `stdout` and `stderr` as a rule. */
export type LogStreams = Record<string, LogData>;

/** A stream while it is read. */
export interface LogSource {
  next(): Promise<IteratorResult<unknown>>;
  /** Ends the stream early. */
  stop(): Promise<void>;
}

/** Data of one log, checked. */
export interface OpenedLogData {
  stream: string;
  data: Uint8Array | LogSource;
}

/**
 * Checks all of a call before anything of it is written, and opens its files. Synchronous, because a Node stream
 * that fails before anybody listens ends the process.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`
 */
export function openLogStreams(streams: unknown): OpenedLogData[] {
  const entries = Object.entries(checkStreams(streams));
  for (const [stream, data] of entries) checkData(validateLogName(stream, 'log stream'), data);
  checkApart(entries);
  const files = openFiles(entries);
  return (entries as [string, LogData][]).map(([stream, data]) => {
    if (typeof data === 'string') return { stream, data: Buffer.from(data) };
    if (data instanceof Uint8Array) return { stream, data };
    return { stream, data: files.get(stream) ?? sourceOf(data as AsyncIterable<unknown>) };
  });
}

function checkStreams(streams: unknown): object {
  const isRecord =
    typeof streams === 'object' &&
    streams !== null &&
    !Array.isArray(streams) &&
    !ArrayBuffer.isView(streams) &&
    !isStream(streams);
  if (isRecord) return streams;
  throw invalidArgument(
    `Logs are saved by stream: pass an object such as { stdout: text }, not ${kindOf(streams)}.`,
  );
}

function checkData(stream: string, data: unknown): void {
  if (typeof data === 'string' || data instanceof Uint8Array) return;
  if (isStream(data)) {
    checkUnread(data, `The log stream ${stream}`);
    return;
  }
  if (isFile(data)) return;
  throw invalid(
    stream,
    `must be text, bytes, an async iterable of them, or a file as { path }, not ${kindOf(data)}`,
  );
}

/** Two readers of one stream would each get some of its pieces. */
function checkApart(entries: readonly [string, unknown][]): void {
  const streams = new Map<unknown, string>();
  for (const [stream, data] of entries) {
    if (!isStream(data)) continue;
    const other = streams.get(data);
    if (other !== undefined) throw invalid(stream, `is the same stream as ${other}; pass each stream once`);
    streams.set(data, stream);
  }
}

function isStream(data: unknown): data is AsyncIterable<unknown> {
  if (typeof data !== 'object' || data === null) return false;
  return typeof (data as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function';
}

/** A stream that was made from a file has a path as well. */
function isFile(data: unknown): data is LogFile {
  if (typeof data !== 'object' || data === null || isStream(data) || !('path' in data)) return false;
  return typeof data.path === 'string' || data.path instanceof URL;
}

/** All files of a call, or none. */
function openFiles(entries: readonly [string, unknown][]): Map<string, LogSource> {
  const opened = new Map<string, { fd: number; path: string }>();
  try {
    for (const [stream, data] of entries) {
      if (isFile(data)) opened.set(stream, { fd: openFile(stream, data.path), path: String(data.path) });
    }
  } catch (error) {
    for (const { fd } of opened.values()) closeSync(fd);
    throw error;
  }
  return new Map([...opened].map(([stream, { fd, path }]) => [stream, fileSource(stream, path, fd)]));
}

function openFile(stream: string, path: string | URL): number {
  let isRegular: boolean;
  try {
    isRegular = statSync(path).isFile();
    // Opening a pipe would wait for its writer, and the whole process with it.
    if (isRegular) return openSync(path, 'r');
  } catch (error) {
    const why = (error as Error).message;
    throw invalid(stream, `is the file ${path}, which cannot be read: ${why}`, error);
  }
  throw invalid(stream, `is ${path}, which is a folder, pipe or device, not a file; pass a stream of it`);
}

function fileSource(stream: string, path: string, fd: number): LogSource {
  const { next, stop } = sourceOf(createReadStream('', { fd }));
  return {
    next: async () => {
      try {
        return await next();
      } catch (error) {
        const why = (error as Error).message;
        throw invalid(
          stream,
          `is the file ${path}, of which only the beginning could be logged: ${why}`,
          error,
        );
      }
    },
    stop,
  };
}

function sourceOf(stream: AsyncIterable<unknown>): LogSource {
  if (isWebStream(stream)) return webSource(stream);
  let iterator: AsyncIterator<unknown> | undefined;
  return {
    next: async () => {
      iterator ??= takeOnce(stream)[Symbol.asyncIterator]();
      return iterator.next();
    },
    stop: async () => {
      // The iterator would wait for the next piece of a silent stream before it ended it.
      if (stream instanceof Readable) stream.destroy();
      await endSource(stream, () => iterator?.return?.());
    },
  };
}

/** Told by what it does: the class would load Node's web streams, a tenth of what importing this package takes. */
function isWebStream(stream: AsyncIterable<unknown>): stream is ReadableStream<unknown> {
  return typeof (stream as Partial<ReadableStream<unknown>>).getReader === 'function';
}

/** A reader of one's own can be cancelled while it waits, which the stream's iterator cannot. */
function webSource(stream: ReadableStream<unknown>): LogSource {
  const reader = takeOnce(stream).getReader();
  return {
    next: async () => {
      const result = await reader.read();
      if (!result.done) return result;
      reader.releaseLock();
      return { done: true, value: undefined };
    },
    stop: async () => {
      await endSource(stream, () => reader.cancel());
      reader.releaseLock();
    },
  };
}

/** Names the kind of a value, for a message. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'a list';
  if (isStream(value)) return 'a stream';
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function invalid(stream: string, problem: string, cause?: unknown): StowageError {
  return new StowageError('INVALID_ARGUMENT', `The log stream ${stream} ${problem}.`, {
    details: { stream },
    cause,
  });
}
