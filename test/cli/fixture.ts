import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { runCli } from '../../src/cli/run-cli.ts';
import { FlowDataStore } from '../../src/index.ts';

/** The built program, as users start it. */
export const PROGRAM: string = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** The run that {@link makeStore} makes. */
export const RUN = 'Train/2026-01-31T08:00:00Z';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  bytes: Buffer;
}

/** A stream that keeps what it is given. */
class Kept extends Writable {
  readonly pieces: Buffer[] = [];

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.pieces.push(Buffer.from(piece));
    done();
  }
}

const PAINTED = ['NO_COLOR', 'FORCE_COLOR', 'COLUMNS'];

/** Runs `stowage` on a store to its end: all of the program but its process; in so many columns, if that is given. */
export async function stowage(
  store: string | undefined,
  args: readonly string[],
  { columns }: { columns?: number } = {},
): Promise<Ended> {
  const all = store === undefined ? [...args] : [...args, '--store', store];
  const [stdout, stderr] = [new Kept(), new Kept()];
  const before = { ...process.env };
  for (const name of PAINTED) delete process.env[name];
  if (columns !== undefined) process.env.COLUMNS = String(columns);
  try {
    const code = await runCli(all, { stdout, stderr }, new AbortController().signal);
    const bytes = Buffer.concat(stdout.pieces);
    return { code, stdout: bytes.toString(), stderr: Buffer.concat(stderr.pieces).toString(), bytes };
  } finally {
    for (const name of PAINTED) {
      delete process.env[name];
      if (before[name] !== undefined) process.env[name] = before[name];
    }
  }
}

/** What a command says with `--json`; it must succeed. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what is in it
export async function json(store: string, args: readonly string[]): Promise<any> {
  const { code, stdout, stderr } = await stowage(store, [...args, '--json']);
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

/** A folder that is removed after the tests of the file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stowage-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Bytes that do not compress: xorshift32 from `seed`. */
export function noise(bytes: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = seed;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, bytes);
}

/**
 * A store with two flows: `Other` of three runs that save the same 20,000 bytes, and `Train` of one run:
 * `load/0` (bytes, text, logs, metadata), `fit/2`, `fit/10`, `fit/drama` (failed, then done), `report/0` (open), `report/1` (failed).
 */
export async function makeStore(folder: string): Promise<string> {
  const store = join(folder, 'store');
  await makeTrain(store);
  await using other = await FlowDataStore.open({ flowName: 'Other', storage: store });
  for (const runId of ['r1', 'r2', 'r3']) {
    await other.task({ runId, stepName: 'only', taskId: '0' }, (task) =>
      task.saveArtifacts({ x: noise(20_000) }),
    );
  }
  return store;
}

async function makeTrain(store: string): Promise<void> {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  const runId = RUN.split('/')[1] as string;
  const run = await flow.createRun({ runId, tags: ['demo', 'nightly'], parameters: { epochs: 3 } });
  await flow.task({ runId, stepName: 'load', taskId: '0' }, async (task) => {
    await task.saveArtifacts({
      raw: noise(300_000, 7),
      note: 'héllo\nwörld \x1b[31m',
      rows: [{ a: 1 }, { a: 2 }],
    });
    await task.saveMetadata({ url: 'http://example.org', bad: '\x1b]0;evil\x07' });
    await task.saveLogs('task', { stdout: 'loading\n', stderr: 'a warning\n' });
    await task.saveLogs('task', { stdout: '\x1b[32mgreen\x1b[0m \x1b]0;evil\x07\n' });
    await task.saveLogs('runtime', { stdout: 'started' });
  });
  for (const taskId of ['2', '10', 'drama']) {
    const work = flow.task({ runId, stepName: 'fit', taskId }, async (task) => {
      if (taskId === 'drama') throw new RangeError('diverged', { cause: new TypeError('NaN in layer 3') });
      await task.saveArtifacts({ weights: Float64Array.of(0.5, Number.NaN), metrics: { auc: 0.91 } });
    });
    await work.catch(() => {});
  }
  await flow.task({ runId, stepName: 'fit', taskId: 'drama' }, (task) =>
    task.saveArtifacts({ metrics: { auc: 0.5 } }),
  );
  const open = await flow.createTaskDataStore({ runId, stepName: 'report', taskId: '0' });
  await open.saveLogs('task', { stdout: 'so far\n' });
  const failing = flow.task({ runId, stepName: 'report', taskId: '1' }, async (task) => {
    await task.saveArtifacts({ partial: [1, 2, 3] });
    throw new Error('boom');
  });
  await failing.catch(() => {});
  await run.finish();
}
