/** Digits behind the second, by the unit of what is counted from midnight or from 1970 on. */
export type SecondDigits = 0 | 3 | 6 | 9;

/** A time of day, such as `09:30:00.250`. */
export function timeText(ticks: bigint, digits: SecondDigits): string {
  const { second, fraction } = splitSecond(ticks, digits);
  const parts = [second / 3600n, (second / 60n) % 60n, second % 60n];
  return `${parts.map((part) => String(part).padStart(2, '0')).join(':')}${fraction}`;
}

/** A point in time in ISO 8601, with `Z` where it names a moment; itself where that has no word for its year. */
export function timestampText(ticks: bigint, digits: SecondDigits, isMoment: boolean): string | bigint {
  const { second, fraction } = splitSecond(ticks, digits);
  const date = new Date(Number(second) * 1000);
  if (Number.isNaN(date.getTime())) return ticks;
  return date.toISOString().replace(/\.\d+Z$/, '') + fraction + (isMoment ? 'Z' : '');
}

function splitSecond(ticks: bigint, digits: SecondDigits): { second: bigint; fraction: string } {
  const perSecond = 10n ** BigInt(digits);
  const rest = ((ticks % perSecond) + perSecond) % perSecond;
  const fraction = digits === 0 ? '' : `.${String(rest).padStart(digits, '0')}`;
  return { second: (ticks - rest) / perSecond, fraction };
}
