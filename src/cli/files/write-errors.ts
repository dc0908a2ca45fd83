import { CliError } from '../cli-error.ts';

/** The reason why a file that may not be replaced is not written. */
export const EXISTS = 'it exists already; --force replaces it';

/** The error of a file that cannot be written, with the reason in plain words. */
export function cannotWrite(path: string, cause: unknown): CliError {
  return new CliError('OUTPUT_FAILED', `${path} cannot be written: ${reasonOf(cause)}.`, {
    details: { path },
    cause,
  });
}

/** The error of a standard output that takes no more, for another reason than that nobody reads it. */
export function outputFailed(cause: unknown): CliError {
  return new CliError('OUTPUT_FAILED', `The standard output cannot be written: ${reasonOf(cause)}.`, {
    cause,
  });
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? message;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EACCES: 'it is not permitted',
  EPERM: 'it is not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is full',
  EFBIG: 'it would become larger than files may be',
  EEXIST: EXISTS,
};
