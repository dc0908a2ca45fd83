import { isContentKey } from './content-names.ts';
import type { TaskPath } from './pathspec.ts';

/** The records of a trace or a checkpoint that a listing of `partial/` showed. */
export type PartialName = { path: TaskPath; attempt: number; name: string } & (
  | { kind: 'trace'; call: string }
  | { kind: 'checkpoint'; sequence: number }
);

const nameRegExp =
  /^partial\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)\/(0|[1-9]\d{0,15})\.(trace|checkpoint)\.([^/.]+)\.json$/;

/** Reads the name of a trace or a checkpoint; `undefined` of any other. */
export function parsePartialName(name: string): PartialName | undefined {
  const [, flow, run, step, task, number, kind, rest = ''] = nameRegExp.exec(name) ?? [];
  // A number that JavaScript cannot tell from its neighbours is none that anybody opened.
  if (kind === undefined || !Number.isSafeInteger(Number(number))) return undefined;
  const path = { flow, run, step, task } as Record<keyof TaskPath, string>;
  const common = { path, attempt: Number(number), name };
  if (kind === 'trace') return isContentKey(rest) ? { ...common, kind, call: rest } : undefined;
  return /^\d{8}$/.test(rest) ? { ...common, kind: 'checkpoint', sequence: Number(rest) } : undefined;
}

/** The beginning of the names of all partial records of a task. */
export function partialPrefix({ flow, run, step, task }: TaskPath): string {
  return `partial/${flow}/${run}/${step}/${task}/`;
}
