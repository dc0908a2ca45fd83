import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const PACKAGE = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));

export const isRoot: boolean = process.getuid?.() === 0;
/** Root may do everything, so that somebody else tries; anybody else takes their rights from themselves. */
export const nobody: number | undefined = isRoot ? 65_534 : undefined;

/**
 * Runs a script that uses the built package, with the first of `args` as `path`; as another user, where that is possible. Gives all that it
 * printed.
 */
export function runScript(
  script: string,
  args: string[],
  { uid, env }: { uid?: number | undefined; env?: Record<string, string> } = {},
): string {
  const code = `import { FlowDataStore, StoreIndex } from ${PACKAGE};\nconst [path, ...more] = process.argv.slice(1);\n${script}`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', code, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return result.stdout + result.stderr;
}
