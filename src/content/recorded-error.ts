import type { RecordedError } from './session-files.ts';

const MAX_CAUSES = 8;
const MAX_TEXT = 16 * 1024;

/** An error, or whatever else was thrown, as DONE keeps it: bounded in depth and length. */
export function recordError(thrown: unknown, depth = 0): RecordedError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: cut(describe(thrown)) };
  const { cause } = thrown;
  const recoverable = (thrown as { recoverable?: unknown }).recoverable;
  return {
    name: cut(String(thrown.name)),
    message: cut(String(thrown.message)),
    ...(typeof thrown.stack === 'string' ? { stack: cut(thrown.stack) } : {}),
    ...(cause === undefined || depth >= MAX_CAUSES ? {} : { cause: recordError(cause, depth + 1) }),
    ...(typeof recoverable === 'boolean' ? { recoverable } : {}),
  };
}

function describe(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  try {
    return JSON.stringify(thrown) ?? String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown); // a cycle, or a toJSON that throws
  }
}

function cut(text: string): string {
  // Well-formed, since not every JSON parser takes half a surrogate pair.
  return (text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`).toWellFormed();
}
