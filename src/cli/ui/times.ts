import { AGE_EXAMPLES } from '../../options/measures.ts';
import { ageOfText, momentOfText } from '../../options/moment-text.ts';
import { usageError } from '../cli-error.ts';

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
  const ms = momentOfText(text, nowMs);
  if (ms !== undefined) return ms;
  throw usageError(
    `${option} is an age such as ${AGE_EXAMPLES}, or a date such as 2026-01-31 or 2026-01-31T08:00Z, not ${JSON.stringify(text)}.`,
  );
}
