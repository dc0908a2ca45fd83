import { formatCount } from './ui/sizes.ts';

const MAX_SUGGESTIONS = 3;
const MAX_COMPARED = 20_000;
/** As many names a message may hold. */
const MAX_LISTED = 20;

/** Those of `names` that `wanted` may have meant, the likeliest first; at most three. */
export function suggest(wanted: string, names: readonly string[]): string[] {
  const ranked: { name: string; distance: number }[] = [];
  const lower = wanted.toLowerCase();
  const most = Math.max(1, Math.floor(wanted.length * 0.34));
  for (const name of names.slice(0, MAX_COMPARED)) {
    const distance = isPart(lower, name.toLowerCase()) ? 0.5 : editDistance(lower, name.toLowerCase(), most);
    if (distance <= most) ranked.push({ name, distance });
  }
  ranked.sort((a, b) => a.distance - b.distance);
  return ranked.slice(0, MAX_SUGGESTIONS).map(({ name }) => name);
}

/** `a, b, c`; of very many, the first: `a, b and 998 more`. */
export function listed(names: readonly (string | number)[]): string {
  const shown = names.slice(0, MAX_LISTED).join(', ');
  const more = names.length - MAX_LISTED;
  return more > 0 ? `${shown} and ${formatCount(more)} more` : shown;
}

/** ` Did you mean a or b?`, or nothing. */
export function didYouMean(suggestions: readonly string[]): string {
  if (suggestions.length === 0) return '';
  const last = suggestions.at(-1) as string;
  const others = suggestions.slice(0, -1).join(', ');
  return ` Did you mean ${others === '' ? last : `${others} or ${last}`}?`;
}

/** Whether one of them is a telling part of the other: an id cut short, or with something in front. */
function isPart(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  return short.length >= 3 && long.includes(short);
}

/** Edits between two words, a swap of neighbours counting as one; `most + 1` at once where there are more. */
export function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(
        (previous[j] as number) + 1,
        (current[j - 1] as number) + 1,
        (previous[j - 1] as number) + (same ? 0 : 1),
      );
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, (before[j - 2] as number) + 1);
      current.push(least);
    }
    if (Math.min(...current) > most) return most + 1;
    before = previous;
    previous = current;
  }
  return previous[b.length] as number;
}
