import { Buffer, constants } from 'node:buffer';
import { fstatSync, constants as modes, openSync } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { CallOptions } from '../../storage/contract.ts';
import { untilAborted } from '../../streams/stream-head.ts';
import { CliError } from '../cli-error.ts';

/** The file that is the standard input. */
export const STDIN = '-';

/** The ways in which files become values. */
export type InputForm = 'bytes' | 'text' | 'json';

const PIECE_BYTES = 1024 * 1024;

/**
 * Checks that a file can be read, without opening it: what a pipe holds is read once. Resolves to its length, if that is known.
 *
 * @throws CliError `INPUT_FAILED`
 */
export async function checkInput(file: string): Promise<number | undefined> {
  try {
    const stats = file === STDIN ? fstatSync(process.stdin.fd) : await stat(file);
    if (stats.isDirectory()) throw new Error('it is a folder'); // Node.js would read nothing, and no error
    if (file === STDIN) return undefined;
    await access(file, modes.R_OK);
    return stats.isFile() ? stats.size : undefined;
  } catch (error) {
    throw cannotRead(file, error);
  }
}

/**
 * Reads a file, piece by piece.
 *
 * @throws CliError `INPUT_FAILED`; StowageError `ABORTED`, at once even where the file is a pipe that nobody writes to
 */
export async function* streamInput(file: string, options: CallOptions): AsyncGenerator<Uint8Array> {
  const source: AsyncIterable<Uint8Array> = file === STDIN ? process.stdin : streamFile(file);
  yield* untilAborted(describeFaults(file, source), options);
}

/**
 * All of a file as text or JSON.
 *
 * @throws CliError `INPUT_FAILED` where it is neither
 */
export async function readInput(
  file: string,
  form: Exclude<InputForm, 'bytes'>,
  options: CallOptions,
): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of streamInput(file, options)) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > constants.MAX_STRING_LENGTH)
      throw cannotRead(file, new Error(`it is longer than ${form} can be; leave --as ${form} out`));
  }
  const text = decode(file, Buffer.concat(pieces, bytes));
  return form === 'text' ? text : parse(file, text);
}

async function* streamFile(file: string): AsyncGenerator<Uint8Array> {
  yield* (await stat(file)).isFIFO()
    ? openPipe(file)
    : ((await open(file)).createReadStream({ highWaterMark: PIECE_BYTES }) as AsyncIterable<Uint8Array>);
}

/** As a socket: a thread that waits for somebody to write to a pipe would keep the program from ending. */
function openPipe(file: string): AsyncIterable<Uint8Array> {
  return new Socket({
    fd: openSync(file, modes.O_RDONLY | modes.O_NONBLOCK),
    readable: true,
    writable: false,
  });
}

async function* describeFaults<T>(file: string, source: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* source;
  } catch (error) {
    throw cannotRead(file, error);
  }
}

function decode(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw cannotRead(file, new Error('it is not UTF-8', { cause: error }));
  }
}

/** A byte order mark is no part of JSON, though some editors write one. */
function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (error) {
    throw cannotRead(file, new Error(`it is not JSON: ${(error as Error).message}`, { cause: error }));
  }
}

function cannotRead(file: string, cause: unknown): CliError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = REASONS[code ?? ''] ?? message;
  const what = file === STDIN ? 'The standard input' : file;
  return new CliError('INPUT_FAILED', `${what} cannot be read: ${why}.`, { details: { path: file }, cause });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  EACCES: 'it is not permitted',
  EPERM: 'it is not permitted',
};
