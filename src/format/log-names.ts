import { isLogName, validateLogName } from '../storage/names.ts';
import { logBase } from './attempt-files.ts';
import type { TaskPath } from './pathspec.ts';
import { padSequence } from './session-id.ts';

/** A log of an attempt. */
export interface LogName {
  /** The writer: `task`, `runtime`, or what you like; `[A-Za-z0-9_-]{1,32}`. */
  source: string;
  /** `stdout`, `stderr`, or what you like; `[A-Za-z0-9_-]{1,32}`. */
  stream: string;
}

/** The choice of some logs of an attempt. */
export interface LogChoice {
  /** Default: all sources. */
  source?: string | undefined;
  /** Default: all streams. */
  stream?: string | undefined;
}

/** The parts of the name of a log part. */
export interface LogPart extends LogName {
  name: string;
  /** Parts of a log are counted from 0, and written one after the other, so that none is missing unless it was deleted. */
  sequence: number;
}

/**
 * Checks the names in a choice.
 *
 * @throws StowageError `INVALID_NAME`
 */
export function validateLogChoice({ source, stream }: LogChoice): void {
  if (source !== undefined) validateLogName(source, 'log source');
  if (stream !== undefined) validateLogName(stream, 'log stream');
}

export function isChosen(log: LogName, { source, stream }: LogChoice): boolean {
  return (source ?? log.source) === log.source && (stream ?? log.stream) === log.stream;
}

/** The name that tells the logs of one attempt apart. */
export function logId({ source, stream }: LogName): string {
  return `${source}.${stream}`;
}

/** The names of one attempt's log parts. */
export class LogPartNames {
  readonly #base: string;

  constructor(path: TaskPath, attempt: number) {
    this.#base = `${logBase(path, attempt)}.`;
  }

  /** The beginning of the names of all parts of the chosen logs. Others may begin so as well, if only the stream is given. */
  prefix({ source, stream }: LogChoice): string {
    if (source === undefined) return this.#base;
    return stream === undefined ? `${this.#base}${source}.` : `${this.#base}${source}.${stream}.`;
  }

  format(log: LogName, sequence: number): string {
    return `${this.#base}${logId(log)}.${padSequence(sequence)}`;
  }

  /** `undefined` for what is no log part of this attempt. */
  parse(name: string): LogPart | undefined {
    if (!name.startsWith(this.#base)) return undefined;
    const [source, stream, part, ...more] = name.slice(this.#base.length).split('.');
    if (source === undefined || stream === undefined || part === undefined || more.length > 0)
      return undefined;
    const isPart = isLogName(source) && isLogName(stream) && /^\d{8}$/.test(part);
    return isPart ? { name, source, stream, sequence: Number(part) } : undefined;
  }
}
