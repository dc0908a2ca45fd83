import { homedir } from 'node:os';
import { join } from 'node:path';
import { invalidArgument } from '../errors.ts';

/**
 * Refuses a path in a folder called `~`, which nobody means.
 *
 * @throws StowageError `INVALID_ARGUMENT`, with the path that is meant
 */
export function refuseHome(path: string): void {
  if (!/^~([/\\]|$)/.test(path)) return;
  throw invalidArgument(
    `"${path}" is in a folder called "~": only a shell makes the home folder of it, where it is not quoted. ` +
      `Write ${join(homedir(), path.slice(2))} (in programs with os.homedir()), or "./${path}" if it is what you mean.`,
    { path },
  );
}
