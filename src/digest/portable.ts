import { createRequire } from 'node:module';
import type { Blake3, Hasher } from './implementation.ts';

interface WasmHasher {
  update(bytes: Uint8Array): void;
  digest(target: Uint8Array): void;
  free(): void;
}

/** The most bytes copied into WebAssembly memory at once. That memory never shrinks. */
const MAX_PIECE_BYTES = 1 << 20;

/**
 * BLAKE3 by the WebAssembly in `blake3@2.1.7`, which runs wherever Node.js does.
 * Its inner module is loaded, for the package's own face adds a stream to every hash.
 */
export function loadPortable(): Blake3 {
  const wasm = createRequire(import.meta.url)('blake3/dist/wasm/nodejs/blake3_js.js') as {
    hash(bytes: Uint8Array, target: Uint8Array): void;
    create_hasher(): WasmHasher;
  };
  const memory = new FinalizationRegistry<WasmHasher>((hasher) => hasher.free());

  class StreamingHasher implements Hasher {
    readonly #wasm = wasm.create_hasher();

    constructor() {
      memory.register(this, this.#wasm);
    }

    update(bytes: Uint8Array): this {
      for (let at = 0; at < bytes.length; at += MAX_PIECE_BYTES) {
        this.#wasm.update(bytes.subarray(at, at + MAX_PIECE_BYTES));
      }
      return this;
    }

    digestHex(): string {
      return hexOf(this.digestBytes());
    }

    digestBytes(): Uint8Array {
      const digest = new Uint8Array(32);
      this.#wasm.digest(digest);
      return digest;
    }
  }

  const digestBytes = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length > MAX_PIECE_BYTES) return new StreamingHasher().update(bytes).digestBytes();
    const digest = new Uint8Array(32);
    wasm.hash(bytes, digest);
    return digest;
  };

  return {
    implementation: 'portable',
    digestHex: (bytes) => hexOf(digestBytes(bytes)),
    digestBytes,
    createHasher: () => new StreamingHasher(),
  };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
