import type { Writable } from 'node:stream';
import { inspect } from 'node:util';
import {
  attempted,
  type ErrorDetails,
  isInstance,
  isStowageError,
  messageOf as thrownMessage,
} from '../../errors.ts';
import { CliError } from '../cli-error.ts';
import { widthOf } from './output.ts';
import { displayWidth, printable, printableJson, printableLines } from './terminal-text.ts';
import { wrapWords } from './wrap.ts';

/** The standard error, as far as it is needed. */
export type ReportStream = Writable & { isTTY?: boolean; columns?: number };

/** An error on the standard error: a line for people, or a JSON document; with `--debug` the stack as well. */
export function report(
  error: unknown,
  { json, debug }: { json: boolean; debug: boolean },
  stderr: ReportStream,
): void {
  const told = toldError(error);
  const { message } = told;
  if (json) {
    const document = JSON.stringify({ error: told });
    stderr.write(`${stderr.isTTY ? printableJson(document) : document}\n`);
  } else {
    note(message, stderr);
  }
  if (!debug) return;
  const inspected = attempted(() => inspect(error, { depth: 8 })) ?? message;
  stderr.write(`${stderr.isTTY ? printableLines(inspected) : inspected}\n`);
}

/** An error as `--json` tells it. */
export function toldError(error: unknown): { code: string; message: string; details: ErrorDetails } {
  const details = isInstance(error, CliError) || isStowageError(error) ? error.details : {};
  return { code: codeOf(error), message: messageOf(error), details };
}

/** A sentence on the standard error. A terminal gets it in lines that fit, files and pipes in one. */
export function note(text: string, stderr: ReportStream): void {
  const line = `stowage: ${printable(text)}`;
  const width = stderr.isTTY ? widthOf(stderr) : undefined;
  stderr.write(`${width === undefined ? line : wrapSentence(line, width)}\n`);
}

/** A command at the end, which somebody may want to copy, stays whole, as do addresses and paths. */
function wrapSentence(line: string, width: number): string {
  const command = /(?<=: )stowage \S.*$/.exec(line)?.[0] ?? '';
  const words = line
    .slice(0, line.length - command.length)
    .trimEnd()
    .split(' ');
  return wrapWords(command === '' ? words : [...words, command], width, displayWidth).join('\n');
}

function codeOf(error: unknown): string {
  return isInstance(error, CliError) || isStowageError(error) ? error.code : 'UNEXPECTED';
}

function messageOf(error: unknown): string {
  if (isInstance(error, CliError)) return error.message;
  if (isStowageError(error)) return `${error.message}${HINTS[error.code] ?? ''}`;
  return `${thrownMessage(error)} (This is a mistake in stowage; --debug shows where.)`;
}

/** The remedy on the command line, where the library's own speaks to programs. */
const HINTS: Readonly<Record<string, string>> = {
  UNKNOWN_ENCODING: ' Its bytes can be had with --bytes.',
  UNDECODABLE_ARTIFACT: ' Its bytes can be had with --bytes.',
};
