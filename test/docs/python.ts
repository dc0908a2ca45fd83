import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const PACKAGES = ['blake3', 'zstandard', 'msgpack'];
const INSTALL_MS = 120_000;

/**
 * A Python that has what `docs/format-reader.py` needs: the machine's own, or one in a virtual environment in the folder for
 * temporary files, which is made once and used again. `undefined` where neither can be had; a warning tells why.
 */
export function findPython(): string | undefined {
  if (hasPackages('python3')) return 'python3';
  const folder = join(tmpdir(), `stowage-format-reader-${process.getuid?.() ?? 'user'}`);
  const python = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  if (isOurs(folder) && hasPackages(python)) return python;
  const failure = install(folder, python);
  if (failure === undefined) return python;
  console.warn(
    `NOT TESTED: docs/format-reader.py, the independent reader of the format, for want of Python 3 with ${PACKAGES.join(', ')}: ${failure}`,
  );
  return undefined;
}

function hasPackages(python: string): boolean {
  return run(python, ['-c', `import ${PACKAGES.join(', ')}`]) === undefined;
}

/** Whether nobody else made the folder, who could have put anything into it. */
function isOurs(folder: string): boolean {
  if (!existsSync(folder)) return false;
  return process.getuid === undefined || statSync(folder).uid === process.getuid();
}

/** Made beside `folder` and moved there, so that test files that look at the same time do not meet half of one. */
function install(folder: string, python: string): string | undefined {
  if (existsSync(folder) && !isOurs(folder)) return `${folder} is somebody else's`;
  const made = mkdtempSync(`${folder}-`);
  const failure =
    run('python3', ['-m', 'venv', made]) ??
    run(join(made, relative(folder, python)), ['-m', 'pip', 'install', '--quiet', ...PACKAGES]);
  if (failure === undefined) {
    rmSync(folder, { recursive: true, force: true });
    try {
      renameSync(made, folder);
      return undefined;
    } catch (error) {
      if (hasPackages(python)) return undefined; // another test file was faster
      return String(error);
    } finally {
      rmSync(made, { recursive: true, force: true });
    }
  }
  rmSync(made, { recursive: true, force: true });
  return failure;
}

/** Why a command failed; `undefined` where it did not. */
function run(command: string, parameters: readonly string[]): string | undefined {
  const { error, status, stderr } = spawnSync(command, parameters, { encoding: 'utf8', timeout: INSTALL_MS });
  if (error) return error.message;
  return status === 0 ? undefined : stderr.trim().split('\n').at(-1) || `${command} ended with ${status}`;
}
