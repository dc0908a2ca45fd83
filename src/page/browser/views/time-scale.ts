import { formatDuration } from '../../../options/figures.ts';

/** A mark of the axis of time. */
export interface Tick {
  /** `0 ms`, `20 s`, since the beginning. */
  text: string;
  /** Where it stands, as a part of the whole: 0 is the beginning, 1 the end. */
  part: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Steps between marks that people count in; days by 1, 2, 5, 10 and so on. */
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
];

/** Marks for a time of `spanMs`, `most` at most and from the beginning on. */
export function ticksOf(spanMs: number, most: number): Tick[] {
  if (!(spanMs > 0)) return [{ text: formatDuration(0), part: 0 }];
  const wanted = spanMs / Math.max(1, most - 1);
  const step = STEPS.find((one) => one >= wanted) ?? daysFor(wanted);
  const count = Math.floor(spanMs / step);
  return Array.from({ length: count + 1 }, (_, index) => ({
    text: formatDuration(index * step),
    part: (index * step) / spanMs,
  }));
}

function daysFor(wantedMs: number): number {
  let step = DAY;
  for (let index = 0; step < wantedMs; index += 1)
    step = DAY * ([1, 2, 5][index % 3] as number) * 10 ** Math.floor(index / 3);
  return step;
}

/** A time as a part of the whole, as far as it lies in it. */
export function partOf(ms: number, startMs: number, endMs: number): number {
  if (endMs <= startMs) return 0;
  return Math.min(1, Math.max(0, (ms - startMs) / (endMs - startMs)));
}
