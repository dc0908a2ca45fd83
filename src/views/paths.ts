/** The names in a path, as far as it goes: `flow/run/step/task/attempt`. */
export interface StorePath {
  flow?: string;
  run?: string;
  step?: string;
  task?: string;
  attempt?: number;
}

/** A path that goes as far as `Level`, at least. */
export type Reaching<Level extends keyof StorePath> = StorePath & Required<Pick<StorePath, Level>>;
/** A path that goes as far as a run, at least. */
export type RunPath = Reaching<'flow' | 'run'>;
/** A path that goes as far as a task, at least. */
export type TaskOrAttemptPath = Reaching<'flow' | 'run' | 'step' | 'task'>;

/** The parts of a path, from the first on. */
export const LEVELS = ['flow', 'run', 'step', 'task', 'attempt'] as const;

export function formatStorePath({ flow, run, step, task, attempt }: StorePath): string {
  return [flow, run, step, task, attempt].filter((part) => part !== undefined).join('/');
}
