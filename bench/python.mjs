import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Below node_modules, where git, linters and test runners do not look. */
const HOME = fileURLToPath(new URL('../node_modules/.cache/stowage-bench/', import.meta.url));

const run = promisify(execFile);

/**
 * The Python of a virtual environment with these packages, made at the first call; `undefined` where Python or pip is not to be had, and the
 * log says so.
 *
 * @param packages - of fixed versions, so that two runs of the benchmark compare
 */
export async function pythonWith(name, packages, log) {
  const folder = join(HOME, name);
  const python = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  // Written last, so that an installation that broke off is made anew.
  const complete = join(folder, 'complete.txt');
  const text = `${packages.join('\n')}\n`;
  if (existsSync(complete) && readFileSync(complete, 'utf8') === text) return python;
  try {
    log(`installing ${packages.join(', ')} into a virtual environment (once)`);
    rmSync(folder, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages]);
    writeFileSync(complete, text);
    return python;
  } catch (error) {
    log(`without ${packages.join(', ')}: ${error.stderr?.trim() || error.message}`);
    return undefined;
  }
}
