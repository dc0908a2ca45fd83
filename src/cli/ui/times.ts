import { AGE_EXAMPLES, ageOfText } from '../../options/measures.ts';
import { usageError } from '../cli-error.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/;

/** A duration for people, in at most two units: `850 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / SECOND).toFixed(1)} s`;
  const seconds = Math.round(ms / SECOND);
  if (ms < HOUR - SECOND / 2) return twoUnits(seconds, 60, 'min', 's');
  const minutes = Math.round(ms / MINUTE);
  if (ms < DAY - MINUTE / 2) return twoUnits(minutes, 60, 'h', 'min');
  return twoUnits(Math.round(ms / HOUR), 24, 'd', 'h');
}

function twoUnits(count: number, size: number, large: string, small: string): string {
  const rest = count % size;
  return rest === 0 ? `${count / size} ${large}` : `${Math.floor(count / size)} ${large} ${rest} ${small}`;
}

/** An age for people, in one unit: `42 s ago`, `3 h ago`, `12 d ago`, `5 mo ago`, `2 y ago`. */
export function formatAge(ageMs: number): string {
  if (ageMs < SECOND) return 'just now';
  if (ageMs < MINUTE) return `${Math.floor(ageMs / SECOND)} s ago`;
  if (ageMs < HOUR) return `${Math.floor(ageMs / MINUTE)} min ago`;
  if (ageMs < DAY) return `${Math.floor(ageMs / HOUR)} h ago`;
  const days = Math.floor(ageMs / DAY);
  if (days < 61) return `${days} d ago`;
  return days < 730 ? `${Math.floor(days / 30.44)} mo ago` : `${Math.floor(days / 365.25)} y ago`;
}

/** The age of an ISO 8601 time, by this machine's clock. */
export function ageOf(iso: string, nowMs: number = Date.now()): string {
  return formatAge(nowMs - Date.parse(iso));
}

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
