import { createRequire } from 'node:module';

const MAX_SUGGESTIONS = 3;
const MAX_COMPARED = 20_000;
/** A message lists so many names. */
const MAX_LISTED = 20;

/** Those of `names` that `wanted` may have meant, the likeliest first; at most three. */
export function suggest(wanted: string, names: readonly string[]): string[] {
  const ranked: { name: string; edits: number }[] = [];
  const lower = wanted.toLowerCase();
  const most = Math.max(1, Math.floor(wanted.length * 0.34));
  for (const name of names.slice(0, MAX_COMPARED)) {
    const edits = editsBetween(lower, name.toLowerCase(), most);
    if (edits <= most) ranked.push({ name, edits });
  }
  ranked.sort((a, b) => a.edits - b.edits);
  return ranked.slice(0, MAX_SUGGESTIONS).map(({ name }) => name);
}

/** `a, b, c`; of very many, the first: `a, b and 998 more`. */
export function listed(names: readonly (string | number)[]): string {
  const shown = names.slice(0, MAX_LISTED).join(', ');
  const more = names.length - MAX_LISTED;
  return more > 0 ? `${shown} and ${more.toLocaleString('en')} more` : shown;
}

/** ` Did you mean a or b?`, or nothing. */
export function didYouMean(suggestions: readonly string[]): string {
  if (suggestions.length === 0) return '';
  const last = suggestions.at(-1) as string;
  const others = suggestions.slice(0, -1).join(', ');
  return ` Did you mean ${others === '' ? last : `${others} or ${last}`}?`;
}

/** Half an edit where one is a telling part of the other: an id cut short, or with something in front. */
function editsBetween(a: string, b: string, most: number): number {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (short.length >= 3 && long.includes(short)) return 0.5;
  if (long.length - short.length > most) return Number.POSITIVE_INFINITY;
  if (isOneSwap(a, b)) return 1;
  // Loaded with the first slip: most names are found.
  const { distance } = createRequire(import.meta.url)('fastest-levenshtein') as {
    distance: (a: string, b: string) => number;
  };
  return distance(a, b);
}

/** Tells whether two neighbours changed places, which is one slip although it takes two edits. */
function isOneSwap(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return (
    at < a.length - 1 && a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2)
  );
}
