// The values of a task, told by its number alone, so that another process can check them. Some are shared by all tasks.

/** @param {number} seed @param {number} i */
export function valuesOf(seed, i) {
  return {
    small: { seed, i },
    own: bytesOf(20_000 + (i % 7) * 10_000, seed * 1000 + i),
    shared: bytesOf(50_000, i % 5),
    large: bytesOf(300_000 + (i % 3) * 200_000, 10_000 + (i % 4)),
  };
}

/** @param {number} length @param {number} seed */
export function bytesOf(length, seed) {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2654435761 + 1) | 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}
