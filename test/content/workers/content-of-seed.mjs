// The content that a seed names, small for even seeds and chunked for odd ones, so that another process can check it.

/** @param {number} seed */
export function contentOfSeed(seed) {
  const words = new Uint32Array(seed % 2 === 0 ? 2500 : 150_000);
  let state = (seed * 2654435761 + 1) | 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}
