import { inspect, types } from 'node:util';

/**
 * Every code a {@link StowageError} can carry. The set is closed: `docs/errors.md` tells the cause and the remedy of each.
 */
export const ERROR_CODES = [
  // what the caller passed
  'INVALID_ARGUMENT',
  'INVALID_NAME',
  'INVALID_PATHSPEC',
  'UNSERIALIZABLE_ARTIFACT',
  'UNKEYABLE_VALUE',
  'INVALID_PARQUET',
  'UNSUPPORTED_COLUMN',
  'ABORTED',
  // the store as a whole
  'NO_SUCH_STORE',
  'STORE_GONE',
  'STORE_BUSY',
  'INDEX_NOT_READY',
  'NOT_A_STORE',
  'UNSUPPORTED_FORMAT',
  'UNKNOWN_STORAGE_SCHEME',
  'PLACE_NOT_FOUND',
  'PLACE_UNREACHABLE',
  'PLACE_NOT_OURS',
  'PLACE_NOT_TRUSTED',
  // the storage beneath it
  'NO_SUCH_BUCKET',
  'STORAGE_CREDENTIALS',
  'STORAGE_NOT_PERMITTED',
  'STORAGE_FULL',
  'STORAGE_UNAVAILABLE',
  'STORAGE_UNSUPPORTED',
  'STORAGE_FAILED',
  'STORAGE_CLOSED',
  'OBJECT_TOO_LARGE',
  'PRECONDITION_FAILED',
  // runs, tasks and attempts
  'RUN_NOT_FOUND',
  'RUN_EXISTS',
  'RUN_PINNED',
  'RUN_RUNNING',
  'STEP_NOT_FOUND',
  'TASK_NOT_FOUND',
  'ATTEMPT_NOT_FOUND',
  'ATTEMPT_NOT_DONE',
  'ATTEMPT_EXISTS',
  'ATTEMPT_CLOSED',
  'ATTEMPT_FENCED',
  'SAVE_FAILED',
  'ATTEMPT_DELETED',
  'SESSION_NOT_FOUND',
  'PUBLISHED_NOT_FOUND',
  'PUBLISHED_EXISTS',
  'PUBLISHED_WITHDRAWN',
  'TRACE_DIVERGED',
  // artifacts and content
  'ARTIFACT_NOT_FOUND',
  'REPORT_NOT_FOUND',
  'ARTIFACT_INVALID',
  'ARTIFACT_NOT_BYTES',
  'INPUT_INVALID',
  'OUTPUT_INVALID',
  'ARTIFACT_CONFLICT',
  'UNDECODABLE_ARTIFACT',
  'UNKNOWN_ENCODING',
  'CODEC_UNAVAILABLE',
  'CONTENT_NOT_FOUND',
  'CONTENT_DAMAGED',
  'CONTENT_TOO_LARGE',
  'CONTENT_PURGED',
  'CONTENT_ERASED',
  'CONTENT_LOST',
  'RECORD_DAMAGED',
  // files and directories that values refer to
  'REFERENCE_NOT_FOUND',
  'REFERENCE_CHANGED',
  'REFERENCE_UNREADABLE',
  'DOWNLOAD_FAILED',
] as const;

/** One of {@link ERROR_CODES}. */
export type StowageErrorCode = (typeof ERROR_CODES)[number];

/** Facts about an error, for programs: names, sizes, digests, the path inside a value. JSON-compatible. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** Every copy of the package in a process knows the errors of the others by it. */
const BRAND = Symbol.for('stowage.StowageError');

/**
 * The only error class Stowage throws. Branch on `code`; show `message` to people: it says what happened, to what, and what to do.
 */
export class StowageError extends Error {
  readonly code: StowageErrorCode;
  readonly details: ErrorDetails;

  static {
    Object.defineProperty(StowageError.prototype, BRAND, { value: true });
  }

  constructor(
    code: StowageErrorCode,
    message: string,
    options: { details?: ErrorDetails | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StowageError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

/**
 * True if `error` is a {@link StowageError}, with one of `codes` if any are given. It may come from another copy of the package in the
 * process, whose class `instanceof` does not know.
 */
export function isStowageError(error: unknown, ...codes: StowageErrorCode[]): error is StowageError {
  if (!types.isNativeError(error) || !(BRAND in error)) return false;
  return codes.length === 0 || codes.includes((error as Error as StowageError).code);
}

/** True if `value` is an error, of whatever realm. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || isInstance(value, Error);
}

/** `instanceof` for what users throw: a revoked proxy, which throws on every question, is no instance of anything. */
export function isInstance<T>(value: unknown, Class: abstract new (...args: never[]) => T): value is T {
  return attempted(() => value instanceof Class) === true;
}

/** Returns what `ask` returns; `undefined` if it throws, as getters of what users throw may. */
export function attempted<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

const BRIEF = { depth: 0, breakLength: Infinity, customInspect: false, maxStringLength: 1000 } as const;
const NO_TEXT = 'something that has no text';

/** Describes what was thrown, to follow "it threw": the name and message of an error, anything else as Node shows it. */
export function thrownText(thrown: unknown): string {
  return attempted(() => (isError(thrown) ? String(thrown) : inspect(thrown, BRIEF))) ?? NO_TEXT;
}

/** Describes what was thrown in a sentence of its own: the message of an error, the text of anything else. */
export function messageOf(thrown: unknown): string {
  const message: unknown = isError(thrown) ? attempted(() => thrown.message) : thrown;
  return typeof message === 'string' ? message : thrownText(thrown);
}

/** True unless the thrower says that trying again cannot help: the error's `recoverable` is `false`. */
export function isRecoverable(thrown: unknown): boolean {
  return attempted(() => (thrown as { recoverable?: unknown } | null | undefined)?.recoverable) !== false;
}

/** An `INVALID_ARGUMENT`: what was given is none of what the call takes. */
export function invalidArgument(message: string, details?: ErrorDetails): StowageError {
  const error = new StowageError('INVALID_ARGUMENT', message, { details });
  Error.captureStackTrace(error, invalidArgument);
  return error;
}

/**
 * Throws `ABORTED`, with the signal's reason as its cause, once `signal` is aborted.
 */
export function throwIfAborted(signal: Pick<AbortSignal, 'aborted' | 'reason'> | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** The error of a call that `signal` ended. */
export function abortError(signal: Pick<AbortSignal, 'reason'>): StowageError {
  return new StowageError(
    'ABORTED',
    'The call was aborted by its signal; nothing it had not finished is visible.',
    {
      cause: signal.reason,
    },
  );
}
