import { expect } from 'vitest';

/** Below this, Vitest's own comparison is as quick. */
const LARGE_BYTES = 1024;

/**
 * Tells `toEqual` that large typed arrays of the same bytes are equal. Vitest compares them element by element, as text too: 300 kB
 * take it a second and more. Where bytes differ, Vitest's own comparison decides, and shows the difference.
 */
function haveEqualBytes(a: unknown, b: unknown): true | undefined {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.byteLength < LARGE_BYTES) return undefined;
  if (a.constructor !== b.constructor) return undefined;
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0 ? true : undefined;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

expect.addEqualityTesters([haveEqualBytes]);
