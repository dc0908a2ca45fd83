import { AGE_EXAMPLES, ageOfText } from '../../options/measures.ts';
import { usageError } from '../cli-error.ts';

const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/;

/** An age from the command line, in milliseconds: `45s`, `30min`, `12h`, `7d`, `2w`. */
export function parseAge(text: string, option: string): number {
  const ageMs = ageOfText(text);
  if (ageMs !== undefined) return ageMs;
  throw usageError(`${option} is an age such as ${AGE_EXAMPLES}, not ${JSON.stringify(text)}.`);
}

/**
 * A moment from the command line, in milliseconds since 1970: an age (`45s`, `30min`, `12h`, `7d`, `2w`), or an ISO 8601 date or
 * time, which is UTC unless it says otherwise.
 */
export function parseSince(text: string, option: string, nowMs: number = Date.now()): number {
  const ageMs = ageOfText(text);
  if (ageMs !== undefined) return nowMs - ageMs;
  const [, day, time = '00:00', zone = 'Z'] = DATE.exec(text) ?? [];
  // A day that its month does not have would count as one of the next.
  const isDay = day !== undefined && new Date(`${day}T00:00Z`).getUTCDate() === Number(day.slice(8));
  const ms = isDay ? Date.parse(`${day}T${time}${zone}`) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw usageError(
    `${option} is an age such as ${AGE_EXAMPLES}, or a date such as 2026-01-31 or 2026-01-31T08:00Z, not ${JSON.stringify(text)}.`,
  );
}
