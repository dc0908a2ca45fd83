import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalidArgument } from '../../../errors.ts';
import { refuseHome } from '../../home-folder.ts';

/**
 * The absolute path that an address of SQLite names: `sqlite:runs.db` (relative), `sqlite:/data/runs.db`, `sqlite:///data/runs.db`. With
 * three slashes it is a URL, in which `%20` stands for a space; otherwise it is a path as it is.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function sqlitePath(address: string): string {
  const rest = /^sqlite:(.*)$/is.exec(address)?.[1] ?? '';
  if (rest.startsWith('//')) {
    try {
      return fileURLToPath(`file:${rest}`);
    } catch {
      throw invalidArgument(
        `"${address}" is no address of a file of SQLite; write sqlite:path, or sqlite:///path.`,
        { address },
      );
    }
  }
  if (rest === '' || rest === ':memory:' || rest.endsWith('/')) {
    throw invalidArgument(
      `"${address}" names no file; write sqlite:path/to/runs.db. For a store in memory, write memory:.`,
      { address },
    );
  }
  refuseHome(rest);
  return resolve(rest);
}
