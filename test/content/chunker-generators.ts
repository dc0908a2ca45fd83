/** Deterministic content for the chunker's golden vectors; `chunker-vectors.json` specifies each generator in words. */
export const GENERATORS: Record<string, (bytes: number, seed: number) => Uint8Array> = {
  random(bytes, seed) {
    const words = new DataView(new ArrayBuffer(bytes));
    // xorshift32 once more, inlined: most of the vectors' content is made here.
    for (let at = 0, state = seed; at < bytes; at += 4) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words.setInt32(at, state, true);
    }
    return new Uint8Array(words.buffer);
  },
  quaternary(bytes, seed) {
    return (GENERATORS.random as (bytes: number, seed: number) => Uint8Array)(bytes, seed).map(
      (byte) => byte & 3,
    );
  },
  zeros(bytes) {
    return new Uint8Array(bytes);
  },
  counter(bytes) {
    const words = new DataView(new ArrayBuffer(bytes));
    for (let at = 0; at < bytes; at += 4) words.setUint32(at, at / 4, true);
    return new Uint8Array(words.buffer);
  },
  text(bytes) {
    return Buffer.alloc(bytes, 'the quick brown fox jumps over the lazy dog\n');
  },
  sparse(bytes, seed) {
    const content = new Uint8Array(bytes);
    const next = xorshift32(seed);
    for (let block = 0; block < bytes; block += 4096) {
      const word = next();
      content[block + (word % 4096)] = word >>> 24;
    }
    return content;
  },
  lines(bytes, seed) {
    const content = Buffer.alloc(bytes);
    const next = xorshift32(seed);
    for (let line = 0, at = 0; at < bytes; line++) {
      at += content.write(`{"id":${line},"value":${next() % 1000}}\n`, at, 'latin1');
    }
    return content;
  },
};

/** Content by the generator of that name. */
export function generate(name: string, bytes: number, seed: number): Uint8Array {
  const generator = GENERATORS[name];
  if (!generator) throw new Error(`No generator ${name}`);
  return generator(bytes, seed);
}

function xorshift32(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
