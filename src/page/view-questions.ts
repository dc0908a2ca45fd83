import type { Preview, ShownValue } from '../views/previews/shown.ts';
import type { BriefRun, BriefStep } from '../views/run-brief.ts';
import type { Answer, Asked, Failure } from './asked.ts';
import { MAX_DECODED_BYTES } from './content-bounds.ts';

/** So many tasks of a run come first; behind them come as many at once as an answer may have. */
export const TASKS_AT_FIRST = 200;
/** So many last lines of each log of a run, and of a task. */
const LINES_OF_RUN = 100;
const LINES_OF_TASK = 200;
/** So many rows of a table are asked for at once, and so many files of a directory. */
export const PAGE_ROWS = 100;
export const PAGE_FILES = 200;
/** Values that take more are not loaded for a preview: what the server has room for. */
const MAX_PREVIEWED = `${MAX_DECODED_BYTES / 1024 / 1024}MiB`;

/** The graph of a run has so many tasks at most, and none of a run with more steps. */
export const TASKS_DRAWN = 200;
export const MOST_STEPS = 200;
/** A run of no more tasks has them in its graph from the beginning. */
const SMALL_RUN = 60;

/** An artifact of an attempt, or a file of a directory. `pathspec` is `<flow>/<run>/<step>/<task>/<attempt>`. */
export interface Place {
  pathspec: string;
  artifact: string;
  entry?: string | undefined;
}

/** A page of the tasks of a run in brief: those behind the first `offset`. */
export function tasksFrom(run: string, offset: number): Asked {
  const limit = offset === 0 ? { limit: String(TASKS_AT_FIRST) } : {};
  return { command: 'show', args: [run], options: { brief: true, offset: String(offset), ...limit } };
}

/** What became of the tasks of each step of a run. */
export function stepsOf(run: string): Asked {
  return { command: 'show', args: [run], options: { steps: true } };
}

type StepTotals = readonly Pick<BriefStep, 'step' | 'total'>[];

/** True of a run that has few tasks. */
export function isSmallRun(steps: StepTotals): boolean {
  return steps.reduce((sum, { total }) => sum + total, 0) <= SMALL_RUN;
}

/** The paths whose tasks the graph asks with what they read, where some steps are open: the run, if it is a small one, or else these steps. */
export function pathsOfReads(run: string, steps: StepTotals, open: readonly string[]): string[] {
  if (open.length === 0 || steps.length > MOST_STEPS) return [];
  return isSmallRun(steps) ? [run] : open.map((step) => `${run}/${step}`);
}

/** Reads the tasks of a path that the graph may draw, with what they read: fewer where something fails, which is told. */
export async function readReads(
  ask: (asked: Asked) => Promise<Answer<BriefRun>>,
  path: string,
): Promise<{ steps: BriefStep[]; error: Failure | undefined }> {
  const steps: BriefStep[] = [];
  let failure: Failure | undefined;
  let next: number | undefined = 0;
  while (next !== undefined && next < TASKS_DRAWN) {
    const page = { offset: String(next), limit: String(TASKS_DRAWN - next) };
    const options = { brief: true, reads: true, ...page } as const;
    const { result, error }: Answer<BriefRun> = await ask({ command: 'show', args: [path], options });
    failure ??= error;
    steps.push(...(result?.steps ?? []));
    next = result?.next;
  }
  return { steps, error: failure };
}

/** A page of the files of the code of a run, from file `offset` on. */
export function codeFrom(run: string, offset: number): Asked {
  return { command: 'code', args: [run], options: { offset: String(offset), limit: String(PAGE_FILES) } };
}

/** A task with one attempt in full. */
export function shown(path: string): Asked {
  return { command: 'show', args: [path] };
}

/** One artifact of an attempt, with what is known of the attempt. */
export function shownArtifact(pathspec: string, artifact: string): Asked {
  return { command: 'show', args: [pathspec], options: { artifact } };
}

/** The last lines of all logs of a run or step. */
export function lastLines(path: string): Asked {
  return { command: 'log', args: [path], options: { tail: String(LINES_OF_RUN) } };
}

/** The last lines of one log of an attempt. */
export function logTail(pathspec: string, { source, stream }: { source: string; stream: string }): Asked {
  return { command: 'log', args: [pathspec], options: { tail: String(LINES_OF_TASK), source, stream } };
}

/** The preview of an artifact; of a table with its first rows. What is not loaded for one is told with the command that does. */
export function previewed({ pathspec, artifact, entry }: Place): Asked {
  const options = { 'max-bytes': MAX_PREVIEWED, ...(entry === undefined ? {} : { entry }) };
  return { command: 'preview', args: [pathspec, artifact], options };
}

/** A page of the files of a directory, from file `offset` on. */
export function filesFrom(place: Place, offset: number): Asked {
  return part(place, offset, PAGE_FILES);
}

/** Reads a page of the rows of a table that has `total`: fewer than a page where something fails, which is told. */
export async function readRows(
  ask: (asked: Asked) => Promise<Answer<Preview>>,
  place: Place,
  { page, total }: { page: number; total: number },
): Promise<{ rows: (readonly ShownValue[])[]; error: Failure | undefined }> {
  const start = page * PAGE_ROWS;
  const end = Math.min(start + PAGE_ROWS, total);
  const rows: (readonly ShownValue[])[] = [];
  // An answer is bounded in bytes: it may have fewer rows than were asked for.
  while (start + rows.length < end) {
    const at = start + rows.length;
    const { result, error } = await ask(part(place, at, end - at));
    const got = result?.kind === 'table' ? result.table.rows : [];
    if (got.length === 0) return { rows: [], error };
    rows.push(...got);
  }
  return { rows, error: undefined };
}

function part(place: Place, offset: number, limit: number): Asked {
  const { options, ...asked } = previewed(place);
  return { ...asked, options: { ...options, offset: String(offset), limit: String(limit) } };
}
