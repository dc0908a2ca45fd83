import { LOOSE_MASK, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, NORMAL_CHUNK_BYTES, STRICT_MASK } from './chunker.ts';
import { GEAR } from './gear-table.ts';
import { groupBytes, ungroupBytes } from './grouping.ts';
import { KERNEL_MODULE } from './kernel-module.ts';

/** The loops over every byte of content. All implementations give equal results. */
export interface Kernel {
  readonly implementation: 'wasm' | 'javascript';
  /** The end of the chunk that begins at `start`: `nextCut` of `chunker.ts`. */
  nextCut(bytes: Uint8Array, start: number, end: number): number;
  /** `groupBytes` of `grouping.ts`. */
  groupBytes(bytes: Uint8Array, elementBytes: number, target: Uint8Array): void;
  /** `ungroupBytes` of `grouping.ts`. */
  ungroupBytes(bytes: Uint8Array, elementBytes: number, target: Uint8Array): void;
}

/** What `kernel.wat` exports; addresses and lengths are bytes of its memory. */
interface KernelExports {
  memory: { buffer: ArrayBuffer };
  hash: { value: number };
  scan(at: number, to: number, mask: number): number;
  unzip(from: number, bytes: number, even: number, odd: number): void;
  zip(even: number, odd: number, to: number, bytes: number): void;
}

/** The types of Node.js have no WebAssembly. */
interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
}

/** The memory of the kernel, as `kernel.wat` lays it out. Before the window are 32 bytes to read, whatever they hold. */
const WINDOW = 4 * 1024;
/** What is copied at once: it stays in the processor's nearest cache, and little is copied in vain behind a cut. */
const WINDOW_BYTES = 16 * 1024;
const FRONT = 64 * 1024;
const BACK = 128 * 1024;
const AREA_BYTES = 64 * 1024;
/** The loops of grouping take this many elements a turn; what is left goes through the reference. */
const ELEMENTS_A_TURN = 32;

/**
 * Instantiates the kernel, with a memory of its own of 192 KiB: one for each thread. Its calls are synchronous, and keep nothing
 * of one for the next. Throws where WebAssembly, or its SIMD, is missing.
 */
export function loadWasmKernel(): Kernel {
  const { WebAssembly } = globalThis as unknown as { WebAssembly?: WebAssemblyApi };
  if (!WebAssembly) throw new Error('there is no WebAssembly in this Node.js');
  const module = new WebAssembly.Module(Buffer.from(KERNEL_MODULE, 'base64'));
  const { memory, hash, scan, unzip, zip } = new WebAssembly.Instance(module).exports as KernelExports;
  const bytesOf = new Uint8Array(memory.buffer);
  // Little-endian, as WebAssembly is on every machine.
  const table = new DataView(memory.buffer);
  for (const [byte, value] of GEAR.entries()) table.setInt32(4 * byte, value, true);

  function nextCut(bytes: Uint8Array, start: number, end: number): number {
    const first = start + MIN_CHUNK_BYTES;
    if (first >= end) return end;
    const normal = Math.min(end, start + NORMAL_CHUNK_BYTES);
    const last = Math.min(end, start + MAX_CHUNK_BYTES);
    hash.value = 0;
    return (
      scanThrough(bytes, first, normal, STRICT_MASK) || scanThrough(bytes, normal, last, LOOSE_MASK) || last
    );
  }

  /** The hash goes on from the last call to this one. */
  function scanThrough(bytes: Uint8Array, from: number, to: number, mask: number): number {
    for (let at = from; at < to; at += WINDOW_BYTES) {
      const piece = bytes.subarray(at, Math.min(to, at + WINDOW_BYTES));
      bytesOf.set(piece, WINDOW);
      const cut = scan(WINDOW, WINDOW + piece.length, mask);
      if (cut !== 0) return at + cut - WINDOW;
    }
    return 0;
  }

  /** Separates bytes at even places from those at odd ones until each stream is one plane. Returns where the planes lie, in order. */
  function separate(elementBytes: number, elements: number): number {
    let [from, to] = [FRONT, BACK];
    for (let streams = 1; streams < elementBytes; streams *= 2) {
      const length = (elementBytes / streams) * elements;
      for (let stream = 0; stream < streams; stream++) {
        const even = to + (stream * length) / 2;
        unzip(from + stream * length, length, even, even + (streams * length) / 2);
      }
      [from, to] = [to, from];
    }
    return from;
  }

  /** The inverse of {@link separate}: planes lie at the front. */
  function merge(elementBytes: number, elements: number): number {
    let [from, to] = [FRONT, BACK];
    for (let streams = elementBytes / 2; streams >= 1; streams /= 2) {
      const length = (elementBytes / streams) * elements;
      for (let stream = 0; stream < streams; stream++) {
        const even = from + (stream * length) / 2;
        zip(even, even + (streams * length) / 2, to + stream * length, length);
      }
      [from, to] = [to, from];
    }
    return from;
  }

  return {
    implementation: 'wasm',
    nextCut,

    groupBytes(bytes, elementBytes, target) {
      const elements = Math.floor(bytes.length / elementBytes);
      const whole = wholeTurns(elements, elementBytes);
      for (let at = 0; at < whole; ) {
        const count = Math.min(whole - at, AREA_BYTES / elementBytes);
        bytesOf.set(bytes.subarray(at * elementBytes, (at + count) * elementBytes), FRONT);
        const planes = separate(elementBytes, count);
        for (let plane = 0; plane < elementBytes; plane++) {
          const from = planes + plane * count;
          target.set(bytesOf.subarray(from, from + count), plane * elements + at);
        }
        at += count;
      }
      groupBytes(bytes, elementBytes, target, whole);
    },

    ungroupBytes(bytes, elementBytes, target) {
      const elements = Math.floor(bytes.length / elementBytes);
      const whole = wholeTurns(elements, elementBytes);
      for (let at = 0; at < whole; ) {
        const count = Math.min(whole - at, AREA_BYTES / elementBytes);
        for (let plane = 0; plane < elementBytes; plane++) {
          const from = plane * elements + at;
          bytesOf.set(bytes.subarray(from, from + count), FRONT + plane * count);
        }
        const merged = merge(elementBytes, count);
        target.set(bytesOf.subarray(merged, merged + count * elementBytes), at * elementBytes);
        at += count;
      }
      ungroupBytes(bytes, elementBytes, target, whole);
    },
  };
}

/** The elements that the kernel's loops take: those of typed arrays, of 2, 4 or 8 bytes, and of 16, but for the last few. */
function wholeTurns(elements: number, elementBytes: number): number {
  const isPowerOfTwo = (elementBytes & (elementBytes - 1)) === 0;
  return isPowerOfTwo ? elements - (elements % ELEMENTS_A_TURN) : 0;
}
