import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const SUFFIX = process.platform === 'win32' ? '.exe' : '';

/** The path of a server that `npm run servers` installed, or that is on the PATH. */
export function findBinary(name: string): string | undefined {
  const folders = [join(ROOT, '.servers'), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name + SUFFIX)).find((path) => existsSync(path));
}

/** The path of a script inside an installed package, to be run by Node.js. */
export function packageScript(path: string): string {
  return join(ROOT, 'node_modules', path);
}
