import type { ErrorDetails } from '../errors.ts';

/** What goes wrong in the command itself, rather than in the store. */
export type CliErrorCode = 'USAGE' | 'OUTPUT_FAILED';

/** An error of the command line: its use, or the file or pipe that it writes to. */
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
