import { validateUserName } from '../storage/names.ts';
import type { AttemptRule } from '../views/attempts.ts';
import { LEVELS, type StorePath } from '../views/paths.ts';
import { usageError } from './cli-error.ts';
import type { ArgumentDeclaration } from './declaration.ts';

const WHAT = { flow: 'flow name', run: 'run id', step: 'step name', task: 'task id' } as const;

/** Declares an argument that is a path of so many parts, `rest` behind its form. */
export function pathArgument(
  form: string,
  shortest: number,
  longest: number,
  rest = '',
): ArgumentDeclaration {
  return { form, text: formOf(shortest, longest) + rest, completion: { path: longest } };
}

/**
 * Reads a path from the command line; a `/` at its end is ignored.
 *
 * @throws CliError `USAGE` where it is too long or too short, or ends in no attempt; StowageError `INVALID_NAME`.
 */
export function parseStorePath(text: string | undefined, shortest: number, longest: number): StorePath {
  const parts = text === undefined ? [] : text.replace(/\/$/, '').split('/');
  if (parts.length < shortest || parts.length > longest) {
    const form = formOf(shortest, longest);
    throw usageError(
      `${JSON.stringify(text ?? '')} is not of the form ${form}; stowage ls shows what there is.`,
      { path: text },
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
  const message = `${JSON.stringify(text)} is no attempt. Attempts are numbers from 0 on.`;
  throw usageError(message, { attempt: text });
}

/** Reads the attempt that a path, or `--attempt`, asks for. */
export function attemptRule({ attempt }: StorePath, option: string | undefined): AttemptRule {
  if (option === undefined) return attempt;
  const rule = option === 'latest-done' || option === 'latestDone' ? 'latestDone' : parseAttempt(option);
  if (attempt === undefined || attempt === rule) return rule;
  throw usageError(`The path names attempt ${attempt}, and --attempt another: give one of them.`);
}

/** `<flow>/<run>[/<step>[/<task>]]` */
function formOf(shortest: number, longest: number): string {
  const names = LEVELS.slice(0, longest).map((level, index) => (index === 0 ? `<${level}>` : `/<${level}>`));
  const optional = names.slice(shortest);
  return (
    names.slice(0, shortest).join('') +
    optional.map((name) => `[${name}`).join('') +
    ']'.repeat(optional.length)
  );
}
