import { spawn } from 'node:child_process';
import { type Ended, PROGRAM } from './fixture.ts';

/** Runs `stowage` on a store to its end, as a process of its own. */
export async function stowageProcess(
  store: string | undefined,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Ended> {
  const all = store === undefined ? [...args] : [...args, '--store', store];
  const { NO_COLOR: _, FORCE_COLOR: __, COLUMNS: ___, ...inherited } = process.env;
  const child = spawn(process.execPath, [PROGRAM, ...all], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, ...environment },
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => out.push(piece));
  child.stderr.on('data', (piece: Buffer) => err.push(piece));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const bytes = Buffer.concat(out);
  return { code, stdout: bytes.toString(), stderr: Buffer.concat(err).toString(), bytes };
}
