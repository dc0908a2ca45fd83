import { isStowageError } from '../errors.ts';
import { CliError } from './cli-error.ts';

/** The exit codes of the process, for scripts to branch on. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** Part of it was shown; something else could not be read. */
  partial: 3,
  noSuchStore: 10,
  busy: 11,
  corruption: 12,
  interrupted: 130,
  terminated: 143,
} as const;

/** The exit code that tells of an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.code === 'USAGE' ? EXIT.usage : EXIT.failed;
  if (!isStowageError(error)) return EXIT.failed;
  switch (error.code) {
    case 'INVALID_ARGUMENT':
    case 'INVALID_NAME':
    case 'INVALID_PATHSPEC':
    case 'UNKNOWN_STORAGE_SCHEME':
      return EXIT.usage;
    case 'NO_SUCH_STORE':
    case 'STORE_GONE':
    case 'NOT_A_STORE':
      return EXIT.noSuchStore;
    case 'STORE_BUSY':
    case 'RUN_RUNNING':
      return EXIT.busy;
    case 'RECORD_DAMAGED':
    case 'CONTENT_DAMAGED':
      return EXIT.corruption;
    default:
      return EXIT.failed;
  }
}
