/** How many results are there to be found. */
export const STORED = 200;
export const CALLERS = 16;

/** What each call is given; the same in memo_side.py. */
export function inputOf(n) {
  return { n, prompt: `Judge answer ${n}: is it so, and if it is, why?` };
}

/** Stands for what is worth keeping: about 1 KB as JSON. It takes no time, so that all that is measured is the cache. */
export function judge({ n }) {
  const words = Array.from({ length: 12 }, (_, i) => `reason ${i}: ${n * 31 + i * 17}, of ${n}`);
  const scores = Array.from({ length: 40 }, (_, i) => (n * 7919 + i * 104729) % 1000003);
  return { n, verdict: n % 3 === 0 ? 'yes' : 'no', scores, words, note: `answer ${n}`.repeat(20) };
}
