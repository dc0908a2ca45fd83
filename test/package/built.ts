import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));

/** What a command printed, and how it ended. */
export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a script by this Node.js in the package's folder; what it imports as `stowage` is what `npm run build` made. */
export function runNode(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Finished> {
  if (!existsSync(join(ROOT, 'dist/index.js')))
    throw new Error('There is no dist/; run `npm run build` first.');
  const env = { ...process.env, NO_COLOR: '1', ...environment };
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      if (child.exitCode === null) reject(error);
      else resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}
