const AGE = /^(\d+(?:\.\d+)?) ?(s|min|m|h|d|w)$/;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const AGE_UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: MINUTE_MS,
  min: MINUTE_MS,
  h: 60 * MINUTE_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
};
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/;

// Nothing is imported: a browser reads the same texts.

/** Reads the text of an age, in milliseconds; `undefined` for what is none. */
export function ageOfText(text: string): number | undefined {
  const [, count, unit] = AGE.exec(text) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  const ms = Math.round(Number(count) * (AGE_UNITS[unit] as number));
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/**
 * Reads a moment, in milliseconds since 1970: an age before `nowMs` (`45s`, `30min`, `12h`, `7d`, `2w`), or an ISO 8601 date or time, which is
 * UTC unless it says otherwise; `undefined` for what is none.
 */
export function momentOfText(text: string, nowMs: number): number | undefined {
  const ageMs = ageOfText(text);
  if (ageMs !== undefined) return nowMs - ageMs;
  const [, day, time = '00:00', zone = 'Z'] = DATE.exec(text) ?? [];
  // A day that its month does not have would count as one of the next.
  const isDay = day !== undefined && new Date(`${day}T00:00Z`).getUTCDate() === Number(day.slice(8));
  const ms = isDay ? Date.parse(`${day}T${time}${zone}`) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
