const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** A number of bytes for people: `0 B`, `999 B`, `1.2 MB`, `340 MB`; powers of 1,000. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.95 and more would be shown as 1000.
  while (unit < UNITS.length - 1 && value >= (unit === 0 ? 1000 : 999.5)) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `part` of `whole` for people: `12.3 %`, `< 0.1 %`; `-` of nothing. */
export function formatPercent(part: number, whole: number): string {
  if (whole === 0) return '-';
  const percent = (part / whole) * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  return `${percent.toFixed(percent >= 99.95 ? 0 : 1)} %`;
}

/** A ratio: `1.0x`, `3.2x`, `150x`; `-` of nothing. */
export function formatRatio(ratio: number | null): string {
  if (ratio === null) return '-';
  return `${ratio.toFixed(ratio >= 99.95 ? 0 : 1)}x`;
}

/** A count with its thousands apart: `12,345`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 run`, `2 runs`, `12,345 runs`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `196 done, 4 failed`; where all are one thing, with `all` before it in place of the number, if that is given. */
export function countsOf(things: readonly string[], all?: string): string {
  const counts: Record<string, number> = {};
  for (const thing of things) counts[thing] = (counts[thing] ?? 0) + 1;
  return countsText(counts, all);
}

/** The same of things that were counted already. */
export function countsText(counts: Readonly<Record<string, number>>, all?: string): string {
  const [[first] = [], ...others] = Object.entries(counts);
  if (all !== undefined && first !== undefined && others.length === 0) return `${all}${first}`;
  return Object.entries(counts)
    .map(([thing, count]) => `${formatCount(count)} ${thing}`)
    .join(', ');
}

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
