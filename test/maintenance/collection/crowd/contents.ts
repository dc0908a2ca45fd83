import { createHash } from 'node:crypto';

/** The flow that the crowd writes and reads. */
export const FLOW = 'Crowd';
export const STEP = 'fit';
/** A task that takes over another one's artifacts: all of them, or those that are shared. */
const TAKEN_OVER = /^(all|part)_([^_]+)_([^_]+)_[^_]+$/;
const SHARED = ['shared', 'large'];

/** A run is given up once so many others followed it. */
export const RUNS_KEPT = 2;
/** Shared contents go by turns: those of a run that is given up just now are those that the current one saves. */
const TURNS = RUNS_KEPT + 1;
const OF_A_TURN = 3;
const LARGE_BYTES = 700_000;
const EDIT_BYTES = 3_000;

/** One of the numbers that belong to a run's turn. */
export function ofTurn(runId: string, number: number): number {
  return (Number(runId.slice(1)) % TURNS) * OF_A_TURN + (number % OF_A_TURN);
}

/** The name of a new task that takes over `taskId` of a run. */
export function takeOverId(kind: 'all' | 'part', runId: string, taskId: string, unique: string): string {
  return [kind, runId, taskId, unique].join('_');
}

/** The names of the artifacts that such a task takes over in part, of those there are. */
export function partOf(names: readonly string[]): string[] {
  return names.filter((name) => SHARED.includes(name));
}

/** Tells whether a task made its artifacts itself. */
export function isOriginal(taskId: string): boolean {
  return !taskId.includes('_');
}

/**
 * The artifacts of a task, told by its pathspec: a small value of its own, small and large content that other tasks have as well, large
 * content that differs from others' in a few bytes.
 */
export function artifactsOf(runId: string, taskId: string): Record<string, unknown> {
  const [, kind, sourceRun, sourceTask] = TAKEN_OVER.exec(taskId) ?? [];
  if (sourceRun !== undefined && sourceTask !== undefined) {
    const source = artifactsOf(sourceRun, sourceTask);
    if (kind === 'all') return source;
    return Object.fromEntries(partOf(Object.keys(source)).map((name) => [name, source[name]]));
  }
  const dice = createHash('sha256').update(`${runId}/${taskId}`).digest();
  const at = (index: number, below: number): number => (dice[index] as number) % below;
  return {
    note: { run: runId, task: taskId },
    ...(at(0, 2) && { own: bytesOf(`own ${runId}/${taskId}`, 17_000 + at(1, 256) * 100) }),
    ...(at(2, 3) && { shared: bytesOf(`shared ${ofTurn(runId, at(3, 256))}`, 70_000) }),
    ...(at(4, 2) && { large: largeOf(ofTurn(runId, at(5, 256))) }),
    ...(at(6, 4) === 0 && { stream: largeOf(ofTurn(runId, at(7, 256))) }),
  };
}

/** What a cached call returns for an input: a value of its attempt's own, or large content. */
export function resultOf(input: number): { input: number; bytes: Uint8Array } {
  return { input, bytes: bytesOf(`call ${input}`, input % 2 ? 20_000 : 300_000) };
}

/** Bytes that do not compress, the same for the same words (SHAKE256). */
export function bytesOf(words: string, bytes: number): Uint8Array {
  return new Uint8Array(createHash('shake256', { outputLength: bytes }).update(words).digest());
}

function largeOf(edit: number): Uint8Array {
  const bytes = bytesOf('large', LARGE_BYTES);
  bytes.set(bytesOf(`edit ${edit}`, EDIT_BYTES), edit * Math.floor(LARGE_BYTES / (TURNS * OF_A_TURN)));
  return bytes;
}
