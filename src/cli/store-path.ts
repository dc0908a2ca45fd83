import { shell } from '../codec/shell-command.ts';
import { validateUserName } from '../storage/names.ts';
import type { AttemptRule } from '../views/attempts.ts';
import { LEVELS, type StorePath } from '../views/paths.ts';
import { type CliError, usageError } from './cli-error.ts';
import type { ArgumentDeclaration } from './declaration.ts';

const ATTEMPT = /^(0|[1-9]\d{0,15})$/;
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

/** Parts of a path before the attempt. */
const TASK_PARTS = 4;

/**
 * Reads a path from the command line; a `/` at its end is ignored.
 *
 * @throws CliError `USAGE` where it is too long or too short, has an empty part, or ends in no attempt; StowageError `INVALID_NAME`.
 */
export function parseStorePath(text: string | undefined, shortest: number, longest: number): StorePath {
  const parts = text === undefined ? [] : text.replace(/\/$/, '').split('/');
  checkParts(text ?? '', parts, shortest, longest);
  const path: StorePath = {};
  for (const [index, part] of parts.entries()) {
    const level = LEVELS[index] as (typeof LEVELS)[number];
    if (level === 'attempt') path.attempt = parseAttempt(part);
    else path[level] = validateUserName(part, WHAT[level]);
  }
  return path;
}

/** A path of a task or an attempt, and the artifact behind it, if there is one: `Train/r7/fit/0/model`, `Train/r7/fit/0/1/model`. */
export function splitArtifact(text: string): { path: string; artifact: string | undefined } {
  const parts = text.replace(/\/$/, '').split('/');
  const isAttempt = ATTEMPT.test(parts[TASK_PARTS] ?? '');
  const length = isAttempt ? TASK_PARTS + 1 : TASK_PARTS;
  const artifact = parts.slice(length).join('/');
  return artifact === ''
    ? { path: text, artifact: undefined }
    : { path: parts.slice(0, length).join('/'), artifact };
}

function checkParts(text: string, parts: readonly string[], shortest: number, longest: number): void {
  const said = JSON.stringify(text);
  const named = parts.filter((part) => part !== '');
  if (named.length > 0 && named.length < parts.length) {
    const where = parts[0] === '' ? 'begins with a "/", and a path with the flow' : 'has a "/" too many';
    throw usageError(`${said} ${where}: ${named.join('/')}`, { path: text });
  }
  const form = formOf(Math.max(1, shortest), longest);
  if (parts.length < shortest)
    throw usageError(`${said} is too short: here a path is ${form}. What there is: stowage ls`, {
      path: text,
    });
  const last = parts[TASK_PARTS] ?? '';
  if (parts.length > TASK_PARTS && !ATTEMPT.test(last) && longest > TASK_PARTS) throw noAttempt(text, last);
  if (parts.length <= longest) return;
  if (longest > TASK_PARTS) throw noAttempt(text, parts.slice(TASK_PARTS + 1).join('/'));
  throw usageError(`${said} is too long: here a path is ${form}.`, { path: text });
}

/** What stands where attempts do, or behind one, is most likely an artifact. */
function noAttempt(text: string, name: string): CliError {
  const { path, artifact = name } = splitArtifact(text);
  return usageError(
    `${JSON.stringify(name)} is no attempt, which are numbers from 0 on. An artifact: ${shell`stowage get ${path} ${artifact}`}`,
    { path: text, attempt: name },
  );
}

/** The number of an attempt, from a path or an option. */
export function parseAttempt(text: string): number {
  if (ATTEMPT.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
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
