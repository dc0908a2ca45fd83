import { invalidArgument } from '../errors.ts';
import { ageOfText } from './moment-text.ts';

/** An age: milliseconds, or text such as `'45s'`, `'30min'`, `'12h'`, `'7d'`, `'2w'`. */
export type Age = number | string;
/** A size: bytes, or text such as `'500kB'`, `'10MB'`, `'2TB'` in powers of 1,000, `'10GiB'` in powers of 1,024. */
export type Size = number | string;

const SIZE = /^(\d+(?:\.\d+)?) ?(?:([kmgtp]?)(i?)b?)$/i;
const SIZE_UNITS = ['', 'k', 'm', 'g', 't', 'p'];

/** Examples for errors. */
export const AGE_EXAMPLES = '30min, 12h or 7d';
export const SIZE_EXAMPLES = '500kB, 10MB or 2GB';

/** Reads the text of a size, in bytes; `undefined` for what is none. */
export function sizeOfText(text: string): number | undefined {
  const [, digits = '', unit = '', binary = ''] = SIZE.exec(text) ?? [];
  const power = SIZE_UNITS.indexOf(unit.toLowerCase());
  const bytes = Math.round(Number(digits) * (binary === '' ? 1000 : 1024) ** power);
  if (digits === '' || !Number.isSafeInteger(bytes) || (binary !== '' && unit === '')) return undefined;
  return bytes;
}

/**
 * The milliseconds of an age.
 *
 * @param option - how the caller wrote it: `keepWithin`
 * @throws StowageError `INVALID_ARGUMENT`, with the text
 */
export function millisecondsOf(age: unknown, option: string): number {
  const ms = typeof age === 'string' ? ageOfText(age) : age;
  if (isWhole(ms)) return ms;
  throw invalidArgument(
    `${option} is an age: whole milliseconds from 0 on, or text such as ${AGE_EXAMPLES}, not ${shown(age)}.`,
    { option },
  );
}

/**
 * The bytes of a size.
 *
 * @param option - how the caller wrote it: `maxBytes`
 * @throws StowageError `INVALID_ARGUMENT`, with the text
 */
export function bytesOfSize(size: unknown, option: string): number {
  const bytes = typeof size === 'string' ? sizeOfText(size) : size;
  if (isWhole(bytes)) return bytes;
  throw invalidArgument(
    `${option} is a size: whole bytes from 0 on, or text such as ${SIZE_EXAMPLES}, not ${shown(size)}.`,
    { option },
  );
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function shown(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : (JSON.stringify(value) ?? String(value));
}
