import { StowageError } from '../errors.ts';
import type { Blake3, Hasher } from './implementation.ts';
import { loadNative } from './native.ts';
import { loadPortable } from './portable.ts';

export type { Hasher } from './implementation.ts';

const NOTHING = new Uint8Array(0);
/** BLAKE3 of no bytes, from the official test vectors. */
const DIGEST_OF_NOTHING = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';

let chosen: Blake3 | undefined;

/**
 * The first of `loaders` that loads and gives right digests. Synchronous, about 10 ms, on the first digest of a
 * process; importing this module loads nothing.
 *
 * @throws StowageError `CODEC_UNAVAILABLE` where none does.
 */
export function chooseBlake3(loaders: ReadonlyArray<() => Blake3> = [loadNative, loadPortable]): Blake3 {
  const causes: unknown[] = [];
  for (const load of loaders) {
    try {
      const blake3 = load();
      if (blake3.digestHex(NOTHING) === DIGEST_OF_NOTHING) return blake3;
      causes.push(new Error(`The ${blake3.implementation} BLAKE3 gives wrong digests on this machine.`));
    } catch (error) {
      causes.push(error);
    }
  }
  throw new StowageError(
    'CODEC_UNAVAILABLE',
    'No implementation of BLAKE3 could be loaded; reinstall the dependencies (`npm ci`). Within a bundle, stowage must stay ' +
      'external (`esbuild --external:stowage`): its native and WebAssembly parts are loaded from its own folder.',
    { cause: new AggregateError(causes) },
  );
}

function blake3(): Blake3 {
  chosen ??= chooseBlake3();
  return chosen;
}

/** The BLAKE3-256 digest of `bytes`: 64 lowercase hexadecimal digits. */
export function digestHex(bytes: Uint8Array): string {
  return blake3().digestHex(bytes);
}

/** The BLAKE3-256 digest of `bytes`: 32 bytes, the caller's own. */
export function digestBytes(bytes: Uint8Array): Uint8Array {
  return blake3().digestBytes(bytes);
}

/** Hashes content that comes in parts. For whole inputs {@link digestHex} is faster. */
export function createHasher(): Hasher {
  return blake3().createHasher();
}

/** The implementation that this process uses: prebuilt native code, or WebAssembly if no binary fits. */
export function digestImplementation(): 'native' | 'portable' {
  return blake3().implementation;
}
