/** The middle of some numbers and how far they reach. Medians, because a busy machine makes outliers, always slow ones. */
export function spread(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

/** How many times as long `slow` took as `fast`, pair by pair: the two of a pair ran one right after the other. */
export function pairedRatios(slow, fast) {
  return spread(slow.map((ms, round) => ms / fast[round]));
}

/** What `loaded` took beyond `bare`, pair by pair. */
export function pairedDifferences(loaded, bare) {
  return spread(loaded.map((ms, round) => ms - bare[round]));
}
