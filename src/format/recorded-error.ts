import { inspect, types } from 'node:util';
import { attempted, isError, isInstance } from '../errors.ts';
import type { RecordedError } from './session-files.ts';

const MAX_CAUSES = 8;
/** The most errors recorded together: causes, and members of an `AggregateError`. */
const MAX_ERRORS = 32;
const MAX_TEXT = 16 * 1024;
/** All texts together, so that DONE stays small enough to be read. */
const MAX_TEXTS = 256 * 1024;
const SHOWN = { depth: 4, breakLength: Infinity, customInspect: false, maxStringLength: MAX_TEXT } as const;

/** An error, or whatever else was thrown, as DONE keeps it: bounded in depth, number and length. Never throws. */
export function recordError(thrown: unknown): RecordedError {
  return new ErrorRecorder().record(thrown, 0);
}

/** All that is asked of what was thrown may throw itself: a getter, a proxy, `toString`. */
class ErrorRecorder {
  readonly #seen = new Set<unknown>();
  #errorsLeft = MAX_ERRORS;
  #textLeft = MAX_TEXTS;

  record(thrown: unknown, depth: number): RecordedError {
    this.#errorsLeft -= 1;
    if (!isErrorLike(thrown)) return { name: 'Error', message: this.#cut(textOf(thrown)) };
    this.#seen.add(thrown);
    const recorded: RecordedError = {
      name: this.#cut(memberText(thrown, 'name') ?? 'Error'),
      message: this.#cut(memberText(thrown, 'message') ?? '(its message cannot be read)'),
    };
    const stack = attempted(() => thrown.stack);
    if (typeof stack === 'string') recorded.stack = this.#cut(stack);
    const [cause] = this.#recordAll([attempted(() => thrown.cause)], depth + 1);
    if (cause) recorded.cause = cause;
    const errors = this.#recordAll(errorsOf(thrown), depth + 1);
    if (errors.length > 0) recorded.errors = errors;
    const recoverable = attempted(() => (thrown as { recoverable?: unknown }).recoverable);
    if (typeof recoverable === 'boolean') recorded.recoverable = recoverable;
    return recorded;
  }

  /** Records as many as there is room for. A cycle ends where it closes. */
  #recordAll(thrown: readonly unknown[], depth: number): RecordedError[] {
    const recorded: RecordedError[] = [];
    for (const each of thrown) {
      if (depth > MAX_CAUSES || this.#errorsLeft <= 0) break;
      if (each !== undefined && !this.#seen.has(each)) recorded.push(this.record(each, depth));
    }
    return recorded;
  }

  #cut(text: string): string {
    const most = Math.min(MAX_TEXT, this.#textLeft);
    this.#textLeft -= Math.min(text.length, most);
    // Well-formed, since not every JSON parser takes half a surrogate pair.
    return (text.length <= most ? text : `${text.slice(0, most)}…`).toWellFormed();
  }
}

/** An error of whatever realm, or what looks like one. */
function isErrorLike(thrown: unknown): thrown is Error {
  if (isError(thrown)) return true;
  const looksAlike = (): boolean => {
    const { message, stack } = Object(thrown) as Partial<Error>;
    return typeof message === 'string' && typeof stack === 'string';
  };
  return attempted(looksAlike) === true;
}

function memberText(error: Error, member: 'name' | 'message'): string | undefined {
  const value: unknown = attempted(() => error[member]);
  return value === undefined ? undefined : textOf(value);
}

/** The members of an `AggregateError`. */
function errorsOf(error: Error): unknown[] {
  if (!isInstance(error, AggregateError) && attempted(() => error.name) !== 'AggregateError') return [];
  return attempted(() => firstOf((error as AggregateError).errors)) ?? [];
}

/** Takes as many as can be recorded, of what may have no end. */
function firstOf(errors: Iterable<unknown>): unknown[] {
  const first: unknown[] = [];
  for (const error of errors) if (first.push(error) === MAX_ERRORS) break;
  return first;
}

/** The text of what is no error: text as it is, plain data as JSON, anything else as Node shows it. */
function textOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  if (typeof thrown !== 'object' || thrown === null) return attempted(() => String(thrown)) ?? '';
  const json = isPlain(thrown) ? attempted(() => JSON.stringify(thrown)) : undefined;
  return json ?? attempted(() => inspect(thrown, SHOWN)) ?? 'something that has no text';
}

function isPlain(value: object): boolean {
  if (types.isProxy(value)) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
