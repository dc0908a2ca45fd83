import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { until } from './waiting.ts';

/** A process that tells what it does, as lines of JSON on its standard output, and waits for a line before it begins. */
export interface TellingProcess<Told> {
  readonly child: ChildProcess;
  readonly told: readonly Told[];
  /** Resolves to its exit code, once all it printed was read; `null` where it was killed. */
  readonly ended: Promise<number | null>;
}

/** Starts a script. What it prints as errors is shown. */
export function startTelling<Told>(script: string, args: readonly string[]): TellingProcess<Told> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => {}); // one that is gone is told by its code
  const told: Told[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.endsWith('}')) told.push(JSON.parse(line) as Told); // what is cut off was not told
  });
  return { child, told, ended: once(child, 'close').then(([code]) => code as number | null) };
}

/** Waits until each has told something, and lets them all begin. */
export async function letBegin(processes: readonly TellingProcess<unknown>[]): Promise<void> {
  for (const { child, told } of processes) {
    await until(() => told.length > 0 || child.exitCode !== null);
    if (child.exitCode !== null) throw new Error(`a process ended with ${child.exitCode}`);
  }
  for (const { child } of processes) child.stdin?.write('go\n');
}
