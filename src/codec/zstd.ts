import { untilFilesCanBeOpened } from '../async/open-files.ts';
import { isStowageError, messageOf, StowageError } from '../errors.ts';
import { checkZstdFrame } from './zstd-frame.ts';
import {
  type CompressorBeside,
  ZSTD_LOADERS,
  type ZstdImplementation,
  type ZstdProvider,
} from './zstd-providers.ts';

export type { CompressorBeside, ZstdImplementation } from './zstd-providers.ts';

export const MIN_ZSTD_LEVEL = 1;
export const MAX_ZSTD_LEVEL = 22;

let chosen: ZstdProvider | undefined;
let choosing: Promise<void> | undefined;

/**
 * Loads zstd: the fastest that this machine has of `zstd-napi`, Node's own (22.15 and later), prebuilt native code beside
 * WebAssembly, and WebAssembly alone. Whatever opens a store awaits it; further calls cost nothing.
 *
 * @param options.implementation - takes this one, also in place of one that is loaded already. Default: the fastest.
 * @throws StowageError `CODEC_UNAVAILABLE` where it, or none at all, loads.
 */
export function prepareCodec(options: { implementation?: ZstdImplementation } = {}): Promise<void> {
  const { implementation } = options;
  if (implementation !== undefined) {
    choosing = choose([implementation]);
  } else {
    choosing ??= choose(Object.keys(ZSTD_LOADERS) as ZstdImplementation[]);
  }
  return choosing;
}

async function choose(implementations: ZstdImplementation[]): Promise<void> {
  const causes: unknown[] = [];
  try {
    await untilFilesCanBeOpened();
  } catch (error) {
    choosing = undefined;
    throw error;
  }
  for (const implementation of implementations) {
    try {
      chosen = await ZSTD_LOADERS[implementation]();
      return;
    } catch (error) {
      causes.push(error);
    }
  }
  choosing = undefined;
  throw new StowageError(
    'CODEC_UNAVAILABLE',
    `zstd could not be loaded (tried: ${implementations.join(', ')}); reinstall the dependencies (\`npm ci\`).`,
    { details: { implementations }, cause: new AggregateError(causes) },
  );
}

function zstd(): ZstdProvider {
  if (chosen !== undefined) return chosen;
  throw new StowageError('CODEC_UNAVAILABLE', 'zstd is not loaded yet; await `prepareCodec()` first.');
}

/** The zstd that this process uses; call {@link prepareCodec} first. */
export function zstdImplementation(): ZstdImplementation {
  return zstd().implementation;
}

/** The most that a frame of `rawBytes` bytes can take; `ZSTD_COMPRESSBOUND` of zstd.h. */
export function maxFrameBytes(rawBytes: number): number {
  const smallInputMargin = rawBytes < 131_072 ? (131_072 - rawBytes) >>> 11 : 0;
  return rawBytes + (rawBytes >>> 8) + smallInputMargin;
}

/**
 * Compresses `bytes` into one frame at the start of `target` and returns the frame's length.
 *
 * @param target - at least {@link maxFrameBytes} long.
 */
export function compressInto(target: Uint8Array, bytes: Uint8Array, level: number): number {
  return zstd().compressInto(target, bytes, level);
}

/**
 * Compression at a level beside this thread; `undefined` where this zstd has none. What it returns rejects with `CODEC_UNAVAILABLE` where
 * the library fails.
 */
export function compressorBeside(level: number): CompressorBeside | undefined {
  const compress = zstd().compressorBeside?.(level);
  return (
    compress &&
    ((bytes) =>
      compress(bytes).catch((error: unknown) => {
        throw new StowageError(
          'CODEC_UNAVAILABLE',
          `zstd could not compress ${bytes.length} bytes at level ${level} (${messageOf(error)}); nothing was saved. Try again, or with ` +
            `\`compression: 'none'\`.`,
          { cause: error },
        );
      }))
  );
}

/** Compresses `bytes` into one frame, with its content size in the header. */
export function compress(bytes: Uint8Array, level: number): Uint8Array {
  const target = new Uint8Array(maxFrameBytes(bytes.length));
  return target.slice(0, compressInto(target, bytes, level));
}

/**
 * Decompresses `frame`, which has to be exactly one frame of exactly `rawBytes` bytes.
 *
 * @throws StowageError `CONTENT_DAMAGED` where it is anything else, before more than `rawBytes` are allocated.
 */
export function decompress(frame: Uint8Array, rawBytes: number): Uint8Array {
  checkZstdFrame(frame, rawBytes); // before anything is allocated
  const raw = new Uint8Array(rawBytes);
  decompressInto(raw, frame);
  return raw;
}

/**
 * Decompresses `frame`, which has to be exactly one frame, into `target`, which it has to fill.
 *
 * @throws StowageError `CONTENT_DAMAGED` where it is anything else.
 */
export function decompressInto(target: Uint8Array, frame: Uint8Array): void {
  const rawBytes = target.length;
  checkZstdFrame(frame, rawBytes);
  const provider = zstd();
  let written: number;
  try {
    written = provider.decompressInto(target, frame);
  } catch (error) {
    if (isStowageError(error)) throw error;
    throw new StowageError('CONTENT_DAMAGED', 'Stored content is damaged: it does not decompress.', {
      cause: error,
    });
  }
  if (written !== rawBytes) {
    throw new StowageError(
      'CONTENT_DAMAGED',
      `Stored content is damaged: it decompresses to ${written} bytes, not ${rawBytes}.`,
    );
  }
}
