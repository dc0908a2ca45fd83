import { promisify } from 'node:util';
import type { Encoder } from '@toondepauw/node-zstd';
import { StowageError } from '../errors.ts';
import { checkZstdFrame, MAX_CONTENT_SIZE_GROWTH, writeWithContentSize } from './zstd-frame.ts';

/**
 * The sources of zstd: native code of `zstd-napi`, Node's own, prebuilt native code beside WebAssembly, or WebAssembly alone.
 * Their frames are interchangeable.
 */
export type ZstdImplementation = 'napi' | 'node' | 'prebuilt' | 'wasm';

/** One way to do zstd. Frames have their content size in the header. */
export interface ZstdProvider {
  readonly implementation: ZstdImplementation;
  /**
   * Compresses `bytes` into one frame at the start of `target`, which has room for the worst case.
   * Returns the frame's length.
   */
  compressInto(target: Uint8Array, bytes: Uint8Array, level: number): number;
  /** Decompresses a checked frame into `target`, which has its exact content size. Returns the bytes written. */
  decompressInto(target: Uint8Array, frame: Uint8Array): number;
  /** Compression at a level in libuv's threads; `undefined` where there is none. */
  compressorBeside?(level: number): CompressorBeside | undefined;
}

/**
 * Compresses bytes beside the caller's thread, into a frame that is the caller's own. They have to stay as they are until then.
 */
export type CompressorBeside = (bytes: Uint8Array) => Promise<Uint8Array>;

/**
 * Native zstd by `zstd-napi`, an optional peer; rejects where it is not installed or does not load. It works on the caller's thread
 * alone: beside it the prebuilt encoder does, where that is installed.
 */
async function loadNapi(): Promise<ZstdProvider> {
  const { default: binding } = await import('zstd-napi/binding.js');
  const compressor = new binding.CCtx();
  const decompressor = new binding.DCtx();
  const encoders = await loadEncoders().catch(() => undefined);
  return {
    implementation: 'napi',
    ...(encoders && { compressorBeside: (level) => besideBy(encoders[level]) }),
    compressInto: (target, bytes, level) => compressor.compress(target, bytes, level),
    decompressInto: (target, frame) => decompressor.decompress(target, frame),
  };
}

/** Node.js has these from 22.15 on. The types of the oldest supported Node.js lack them. */
interface NodeZstd {
  zstdCompressSync(bytes: Uint8Array, options: object): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: object): Uint8Array;
  zstdCompress(
    bytes: Uint8Array,
    options: object,
    callback: (error: Error | null, frame: Uint8Array) => void,
  ): void;
  constants: { ZSTD_c_compressionLevel: number };
}

/** Node's own zstd. */
async function loadNode(): Promise<ZstdProvider> {
  const node = (await import('node:zlib')) as unknown as Partial<NodeZstd>;
  const { zstdCompress, zstdCompressSync, zstdDecompressSync, constants } = node;
  if (!zstdCompress || !zstdCompressSync || !zstdDecompressSync || !constants) {
    throw new Error(`Node.js ${process.version} has no zstd; 22.15 and later have.`);
  }
  const compressAsync = promisify(zstdCompress);
  return {
    implementation: 'node',
    compressInto(target, bytes, level) {
      const frame = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } });
      target.set(frame);
      return frame.length;
    },
    compressorBeside: (level) => async (bytes) => {
      const params = { [constants.ZSTD_c_compressionLevel]: level };
      // Told the size (since 22.19 and 24.6) it gives the bytes that the synchronous call gives.
      const frame = await compressAsync(bytes, { params, pledgedSrcSize: bytes.length });
      return withContentSize(frame, bytes.length);
    },
    decompressInto(target, frame) {
      // One output chunk, slightly larger than needed, spares Node from growing and joining several.
      const raw = zstdDecompressSync(frame, {
        chunkSize: target.length + 64,
        maxOutputLength: Math.max(1, target.length),
      });
      target.set(raw);
      return raw.length;
    },
  };
}

/** Below this, and above that level, WebAssembly is as fast as the prebuilt encoder, or faster. */
const MIN_PREBUILT_BYTES = 4 * 1024;
const MAX_PREBUILT_LEVEL = 9;

/**
 * Compression by `@toondepauw/node-zstd`, native code whose binaries come from the npm registry, an optional dependency;
 * rejects where it has none for this machine.
 *
 * All that it leaves to WebAssembly, it does worse: its decoder has no bound on what it allocates, and its encoder makes for
 * each call a context for an input of unknown size, which takes 70 ms and 80 MiB at level 12, 750 MiB at level 22.
 */
async function loadPrebuilt(): Promise<ZstdProvider> {
  const encoders = await loadEncoders();
  const wasm = await loadWasm();
  return {
    implementation: 'prebuilt',
    compressInto(target, bytes, level) {
      const encoder = bytes.length < MIN_PREBUILT_BYTES ? undefined : encoders[level];
      if (encoder === undefined) return wasm.compressInto(target, bytes, level);
      const frame = encoder.encodeSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return writeWithContentSize(target, frame, bytes.length);
    },
    decompressInto: wasm.decompressInto,
    compressorBeside: (level) => besideBy(encoders[level]),
  };
}

/** One for each level up to the last that it is used for. */
async function loadEncoders(): Promise<Encoder[]> {
  const { Encoder } = await import('@toondepauw/node-zstd');
  return Array.from({ length: MAX_PREBUILT_LEVEL + 1 }, (_, level) => new Encoder(level));
}

function besideBy(encoder: Encoder | undefined): CompressorBeside | undefined {
  if (!encoder) return undefined;
  return async (bytes) => {
    const frame = await encoder.encode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return withContentSize(frame, bytes.length);
  };
}

/** The frame with its content size in the header. */
function withContentSize(frame: Uint8Array, rawBytes: number): Uint8Array {
  const target = new Uint8Array(frame.length + MAX_CONTENT_SIZE_GROWTH);
  return target.subarray(0, writeWithContentSize(target, frame, rawBytes));
}

/**
 * zstd compiled to WebAssembly by `@bokuweb/zstd-wasm`: slower, but works everywhere.
 *
 * That package has one memory per process, and initializing it again makes its functions read another one. So it is
 * not initialized where that was done before, and what it compressed is looked at, in case that is done later.
 */
async function loadWasm(): Promise<ZstdProvider> {
  const wasm = await import('@bokuweb/zstd-wasm');
  const works = (): boolean => {
    try {
      checkZstdFrame(wasm.compress(new Uint8Array(1), 1), 1);
      return true;
    } catch {
      return false;
    }
  };
  if (!works()) await wasm.init();
  return {
    implementation: 'wasm',
    compressInto(target, bytes, level) {
      const frame = wasm.compress(bytes, level);
      try {
        checkZstdFrame(frame, bytes.length);
      } catch (error) {
        throw wasmBroken(error);
      }
      target.set(frame);
      return frame.length;
    },
    decompressInto(target, frame) {
      let raw: Uint8Array;
      try {
        raw = wasm.decompress(frame);
      } catch (error) {
        throw works() ? error : wasmBroken(error);
      }
      target.set(raw);
      return raw.length;
    },
  };
}

function wasmBroken(cause: unknown): StowageError {
  return new StowageError(
    'CODEC_UNAVAILABLE',
    'The WebAssembly zstd (@bokuweb/zstd-wasm) no longer works in this process. Does other code initialize it again?',
    { cause },
  );
}

/** All providers, fastest first. */
export const ZSTD_LOADERS: Readonly<Record<ZstdImplementation, () => Promise<ZstdProvider>>> = {
  napi: loadNapi,
  node: loadNode,
  prebuilt: loadPrebuilt,
  wasm: loadWasm,
};
