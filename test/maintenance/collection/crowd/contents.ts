import { createHash } from 'node:crypto';

/** The flow that the crowd writes and reads. */
export const FLOW = 'Crowd';
export const STEP = 'fit';
/** The step of tasks that fail once; they have no artifacts. */
export const RETRIED = 'retried';
/** A task that takes over another one's artifacts: all of them, or those that are shared. */
const TAKEN_OVER = /^(all|part)_([^_]+)_([^_]+)_[^_]+$/;
const SHARED = ['shared', 'large', 'file'];

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
 * content that differs from others' in a few bytes. `file` is saved as a reference to a file of these bytes.
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
    ...(at(8, 3) === 0 && { file: fileOf(ofTurn(runId, at(9, 256))) }),
  };
}

/** What a traced call returns, what a checkpoint holds: content that nothing but their records names until the task is done. */
export function stateOf(runId: string, number: number): Uint8Array {
  return bytesOf(`state ${ofTurn(runId, number)}`, number % 2 ? 70_000 : 300_000);
}

/** The files of the code of a run, by their paths. */
export function codeOf(runId: string): Record<string, string> {
  return {
    'main.mjs': `// the code of turn ${ofTurn(runId, 0)}\n`,
    'lib/data.txt': 'equal in all runs\n'.repeat(100),
  };
}

/** Words that stand in the report of a task. */
export function reportOf(runId: string, taskId: string): string {
  return `the report of ${runId}/${taskId}`;
}

/** What a cached call returns for an input: a value of its attempt's own, or large content. */
export function resultOf(input: number): { input: number; bytes: Uint8Array } {
  return { input, bytes: bytesOf(`call ${input}`, input % 2 ? 20_000 : 300_000) };
}

/** Bytes that do not compress, the same for the same words (SHAKE256). */
export function bytesOf(words: string, bytes: number): Uint8Array {
  return new Uint8Array(createHash('shake256', { outputLength: bytes }).update(words).digest());
}

/** A file of another content than artifacts have, small or large. */
function fileOf(number: number): Uint8Array {
  return bytesOf(`file ${number}`, number % 2 ? 90_000 : 300_000);
}

function largeOf(edit: number): Uint8Array {
  const bytes = bytesOf('large', LARGE_BYTES);
  bytes.set(bytesOf(`edit ${edit}`, EDIT_BYTES), edit * Math.floor(LARGE_BYTES / (TURNS * OF_A_TURN)));
  return bytes;
}
