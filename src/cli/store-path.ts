import { validateUserName } from '../storage/names.ts';
import { usageError } from './cli-error.ts';

/** What a path on the command line names, as far as it goes: `flow/run/step/task/attempt`. */
export interface StorePath {
  flow?: string;
  run?: string;
  step?: string;
  task?: string;
  attempt?: number;
}

/** A path that goes as far as `Level`, at least. */
export type Reaching<Level extends keyof StorePath> = StorePath & Required<Pick<StorePath, Level>>;

const LEVELS = ['flow', 'run', 'step', 'task', 'attempt'] as const;
const WHAT = { flow: 'flow name', run: 'run id', step: 'step name', task: 'task id' } as const;

/**
 * Reads a path from the command line; a `/` at its end is ignored.
 *
 * @throws CliError `USAGE` where it is too long or too short, or ends in no attempt; StowageError `INVALID_NAME`.
 */
export function parseStorePath(text: string | undefined, shortest: number, longest: number): StorePath {
  const parts = text === undefined ? [] : text.replace(/\/$/, '').split('/');
  if (parts.length < shortest || parts.length > longest) {
    throw usageError(
      `${JSON.stringify(text ?? '')} is not of the form ${formOf(shortest, longest)}; stowage ls shows what there is.`,
      {
        path: text,
      },
    );
  }
  const path: StorePath = {};
  for (const [index, part] of parts.entries()) {
    const level = LEVELS[index] as (typeof LEVELS)[number];
    if (level === 'attempt') path.attempt = parseAttempt(part);
    else path[level] = validateUserName(part, WHAT[level]);
  }
  return path;
}

/** The number of an attempt, from a path or an option. */
export function parseAttempt(text: string): number {
  if (/^(0|[1-9]\d{0,15})$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw usageError(`${JSON.stringify(text)} is no attempt. Attempts are numbers from 0 on.`, {
    attempt: text,
  });
}

export function formatStorePath({ flow, run, step, task, attempt }: StorePath): string {
  return [flow, run, step, task, attempt].filter((part) => part !== undefined).join('/');
}

/** `<flow>/<run>[/<step>[/<task>]]` */
function formOf(shortest: number, longest: number): string {
  const names = LEVELS.slice(0, longest).map((level, index) => (index === 0 ? `<${level}>` : `/<${level}>`));
  const needed = names.slice(0, shortest).join('');
  const optional = names.slice(shortest);
  return needed + optional.map((name) => `[${name}`).join('') + ']'.repeat(optional.length);
}
