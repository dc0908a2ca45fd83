import { createRequire } from 'node:module';
import type { Blake3, Hasher } from './implementation.ts';

interface NativeHasher {
  reset(): void;
  update(bytes: Uint8Array): NativeHasher;
  digest(format: 'hex'): string;
}

/** BLAKE3 by `@napi-rs/blake-hash`; throws where no binary of it fits this machine. */
export function loadNative(): Blake3 {
  const { Blake3Hasher } = createRequire(import.meta.url)('@napi-rs/blake-hash') as {
    Blake3Hasher: new () => NativeHasher;
  };

  // Making a hasher takes ten times as long as hashing 200 bytes, so that whole inputs share one.
  const shared = new Blake3Hasher();
  const digestHex = (bytes: Uint8Array): string => {
    shared.reset();
    return shared.update(bytes).digest('hex');
  };

  class StreamingHasher implements Hasher {
    readonly #native = new Blake3Hasher();

    update(bytes: Uint8Array): this {
      this.#native.update(bytes);
      return this;
    }

    digestHex(): string {
      return this.#native.digest('hex');
    }

    digestBytes(): Uint8Array {
      return bytesOfHex(this.digestHex());
    }
  }

  return {
    implementation: 'native',
    digestHex,
    digestBytes: (bytes) => bytesOfHex(digestHex(bytes)),
    createHasher: () => new StreamingHasher(),
  };
}

/** Faster than the binding's own buffers, which are external memory with a finalizer each. */
function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes.set(Buffer.from(hex, 'hex'));
  return bytes;
}
