import { isErrored, Readable } from 'node:stream';
import { types } from 'node:util';
import { invalidArgument } from '../errors.ts';

/** Sources that can be read once only and were begun. A second reader would take the rest, or nothing, for all of it. */
const taken = new WeakSet<object>();

/**
 * Begins to read what a user passed: a stream, an iterator or a list. What can be read once is remembered, for a generator that was
 * read looks like one that has nothing to give.
 *
 * @throws StowageError `INVALID_ARGUMENT` as {@link checkUnread} does
 */
export function takeOnce<T extends object>(source: T, what?: string): T {
  checkUnread(source, what);
  if (isReadOnce(source)) taken.add(source);
  return source;
}

/**
 * Refuses a stream or an iterator of which not everything is there to be read, as far as that can be told. One that failed is let
 * through: who reads it gets its own error.
 *
 * @throws StowageError `INVALID_ARGUMENT`, naming `what`
 */
export function checkUnread(source: object, what = 'The stream or iterator'): void {
  const state = stateOf(source as Partial<Streams>);
  if (state === undefined) return;
  throw invalidArgument(
    `${what} ${state}, so that only what is left of it would be read: make a new one for each try, inside of the task. Where the rest is meant, pass a generator of your own that yields it.`,
  );
}

/** Properties of Node's streams, web streams and iterators, of whatever copy or realm they are. */
interface Streams {
  locked: boolean;
  destroyed: boolean;
  readableDidRead: boolean;
  readableEnded: boolean;
  getReader: unknown;
  read: unknown;
  next: unknown;
  [Symbol.iterator](): unknown;
  [Symbol.asyncIterator](): unknown;
}

function stateOf(source: Partial<Streams>): string | undefined {
  const stream = source as unknown as NodeJS.ReadableStream;
  if (isNodeStream(source) || isWebStream(source)) {
    if (isErrored(stream as never)) return undefined;
    if (source.locked === true) return 'is locked by another reader';
    if (Readable.isDisturbed(stream as never) || source.readableDidRead || source.readableEnded) {
      return 'was read already, in whole or in part';
    }
    if (source.destroyed === true) return 'was destroyed';
  }
  return taken.has(source) ? 'was read before, by another call' : undefined;
}

/** Lists can be read again, and so can objects that make a new iterator each time. */
function isReadOnce(source: Partial<Streams>): boolean {
  if (isNodeStream(source) || isWebStream(source) || types.isGeneratorObject(source)) return true;
  if (typeof source.next !== 'function') return false;
  return (source[Symbol.asyncIterator] ?? source[Symbol.iterator])?.call(source) === source;
}

function isNodeStream({ read, destroyed }: Partial<Streams>): boolean {
  return typeof read === 'function' && typeof destroyed === 'boolean';
}

/** True for a web stream, of whatever copy or realm. */
export function isWebStream({ getReader, locked }: { getReader?: unknown; locked?: unknown }): boolean {
  return typeof getReader === 'function' && typeof locked === 'boolean';
}
