const WORDS = [
  'amber',
  'basalt',
  'cedar',
  'delta',
  'ember',
  'fjord',
  'garnet',
  'harbor',
  'indigo',
  'juniper',
];

/**
 * Dicts such as a step reports of its work, all different, about 205 bytes each as JSON text. They hold what JSON holds, so
 * that Python gets the very same values. The same `seed` makes the same dicts (mulberry32).
 */
export function dicts(count, seed = 1) {
  const random = mulberry32(seed);
  const below = (limit) => Math.floor(random() * limit);
  const word = () => WORDS[below(WORDS.length)];
  return Array.from({ length: count }, (_, id) => ({
    id,
    name: `${word()}-${word()}-${below(1e4)}`,
    score: below(1e6) / 1e6,
    epochs: 10 + below(90),
    tags: [word(), word(), word()],
    metrics: { loss: below(1e6) / 1e6, auc: below(1e6) / 1e6 },
    converged: random() < 0.5,
    parent: random() < 0.5 ? null : `run-${below(1e6)}`,
    note: `${word()} ${word()} ${word()}`,
  }));
}

/** An artifact name for each value. */
export function named(values) {
  return Object.fromEntries(values.map((value, index) => [`artifact_${index}`, value]));
}

/** `count` numbers of six decimals, from the same generator. */
export function fractions(count, seed = 1) {
  const random = mulberry32(seed);
  return Array.from({ length: count }, () => Math.floor(random() * 1e6) / 1e6);
}

/** `count` bytes that zstd cannot shrink, from the same generator. */
export function noise(count, seed = 1) {
  const random = mulberry32(seed);
  return Uint8Array.from({ length: count }, () => random() * 256);
}

/** The same, of many bytes: a number of 32 bits at a time, by xorshift32. */
export function muchNoise(count, seed = 1) {
  const words = new Uint32Array(Math.ceil(count / 4));
  let state = seed;
  for (let i = 0; i < words.length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, count);
}

function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
