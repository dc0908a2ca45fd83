import { types } from 'node:util';
import type { ProgressOptions } from '../async/progress.ts';
import { invalidArgument } from '../errors.ts';
import { checkOptionNames } from './option-names.ts';

/** The values that an option takes. */
export interface OptionKind {
  /** Follows "must be" in an error: `true or false`. */
  expects: string;
  accepts: (value: unknown) => boolean;
}

/** The options of a call, without `signal`, each with its kind. The compiler misses none, and takes none too many. */
export type OptionTable<Options> = { readonly [Name in Exclude<keyof Options, 'signal'>]-?: OptionKind };

/** Anything: what is taken says so itself, or is checked where it is used. */
export const ANYTHING: OptionKind = { expects: 'anything', accepts: () => true };

export const FLAG: OptionKind = {
  expects: 'true or false',
  accepts: (value) => typeof value === 'boolean',
};

export const TEXT: OptionKind = { expects: 'text', accepts: (value) => typeof value === 'string' };

export const FUNCTION: OptionKind = {
  expects: 'a function',
  accepts: (value) => typeof value === 'function',
};

/** The option of calls that tell how far they are. */
export const PROGRESS_OPTIONS: OptionTable<ProgressOptions> = { onProgress: FUNCTION };

/** A single text is none: it would be taken for its letters. */
export const NAMES: OptionKind = {
  expects: "a list of names, such as ['first', 'second']",
  accepts: (value) => Array.isArray(value) && value.every((name) => typeof name === 'string'),
};

export const DATE: OptionKind = {
  expects: 'a valid date',
  accepts: (value) => types.isDate(value) && !Number.isNaN(value.getTime()),
};

/** Any number, also a fraction or no limit at all. */
export const AMOUNT: OptionKind = {
  expects: 'a number from 0 on',
  accepts: (value) => typeof value === 'number' && value >= 0,
};

export function oneOf(...values: readonly string[]): OptionKind {
  return {
    expects: `one of ${values.join(', ')}`,
    accepts: (value) => values.includes(value as string),
  };
}

/** A part of some bytes, as `ByteRange` has it. */
export const RANGE: OptionKind = {
  expects: '{ offset, length } in whole bytes from 0 on',
  accepts: (value) => {
    const { offset, length } = (value ?? {}) as { offset?: unknown; length?: unknown };
    return [offset, length].every((part) => Number.isSafeInteger(part) && (part as number) >= 0);
  },
};

/** @param max - default: no limit but that of exact integers. */
export function wholeNumber(
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
  unit = 'an integer',
): OptionKind {
  return {
    expects: max === Number.MAX_SAFE_INTEGER ? `${unit} from ${min} on` : `${unit} from ${min} to ${max}`,
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  };
}

/** The longest that a timer of Node.js waits, in milliseconds. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

export function wholeMilliseconds(min: number, max: number): OptionKind {
  return wholeNumber(min, max, 'whole milliseconds');
}

/**
 * Checks that `options` has no members but those of the table and `signal`, and that each is of its kind or undefined.
 *
 * @param call - how the caller wrote it: `copyStore`.
 * @param owner - follows the name of an option in an error: ` of task judge`.
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function checkOptions<Options extends object>(
  options: unknown,
  call: string,
  table: OptionTable<Options>,
  owner = '',
): asserts options is Options | undefined {
  checkOptionNames(options, call, Object.keys(table));
  if (options !== undefined) checkKinds(options as Options, table, owner);
}

/**
 * Checks that each member that the table names is of its kind or undefined, for options that have no `signal`; `checkMembers` checks
 * their names.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function checkKinds<Options extends object>(
  options: Options,
  table: OptionTable<Options>,
  owner = '',
): void {
  for (const [name, { expects, accepts }] of Object.entries<OptionKind>(table)) {
    const value: unknown = options[name as keyof Options];
    if (value === undefined || accepts(value)) continue;
    throw invalidArgument(`${name}${owner} must be ${expects}, not ${shown(value)}.`, { option: name });
  }
}

/** So many characters of a text are shown. */
const MAX_SHOWN = 100;
/** What JSON has as it is, and terminals obey: C1 controls, and marks of direction. */
const OBEYED = /[\u007f-\u009f\p{Bidi_Control}]/gu;

/** A value in an error: text in quotes, so that `'5'` is told from `5`, and safe to print. */
function shown(value: unknown): string {
  if (typeof value === 'string') {
    const text = value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)} …` : value;
    const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
    return JSON.stringify(text).replace(OBEYED, escaped);
  }
  return typeof value === 'object' || typeof value === 'function'
    ? `a value of type ${typeof value}`
    : String(value);
}
