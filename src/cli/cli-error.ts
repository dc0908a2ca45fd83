import type { ErrorDetails } from '../errors.ts';

/** The codes of faults in the command itself, rather than in the store. */
export type CliErrorCode =
  | 'USAGE'
  /** A file or pipe that it writes to. */
  | 'OUTPUT_FAILED'
  /** A file that it reads. */
  | 'INPUT_FAILED'
  /** An artifact that cannot be written in the form that was asked for. */
  | 'NO_SUCH_FORM'
  /** An entry that the cache does not have. */
  | 'NO_SUCH_ENTRY'
  /** A port of this machine that something else listens on. */
  | 'PORT_IN_USE'
  /** A cache entry that does not say what its key was made of. */
  | 'NOT_EXPLAINED';

/** An error of the command line: its use, or the files and pipes that it writes and reads. */
export class CliError extends Error {
  readonly code: CliErrorCode;
  readonly details: ErrorDetails;

  constructor(
    code: CliErrorCode,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** The command was called in a way that it cannot work; says how it can. */
export function usageError(message: string, details: ErrorDetails = {}): CliError {
  return new CliError('USAGE', message, { details });
}
