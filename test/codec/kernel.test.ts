import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { assembleKernel, MODULE_FILE } from '../../.ci/kernel.mjs';
import {
  MAX_CHUNK_BYTES,
  MIN_CHUNK_BYTES,
  NORMAL_CHUNK_BYTES,
  nextCut as referenceCut,
} from '../../src/codec/chunker.ts';
import { MAX_ELEMENT_BYTES, MIN_ELEMENT_BYTES } from '../../src/codec/grouping.ts';
import { chooseKernel, kernelImplementation, nextCut, REFERENCE_KERNEL } from '../../src/codec/kernel.ts';
import { loadWasmKernel } from '../../src/codec/kernel-wasm.ts';
import { GENERATORS, generate } from '../content/chunker-generators.ts';
import vectors from '../content/chunker-vectors.json' with { type: 'json' };
import { propertyRuns, test } from '../property.ts';
import { lengthsOf } from './chunk-lengths.ts';

const kernel = loadWasmKernel();
const runs = { numRuns: propertyRuns };
const size = fc.oneof(
  fc.nat(600_000),
  near(MIN_CHUNK_BYTES),
  near(NORMAL_CHUNK_BYTES),
  near(MAX_CHUNK_BYTES),
);
const seed = fc.integer({ min: 1, max: 0x7fffffff });

function near(bytes: number): fc.Arbitrary<number> {
  return fc.integer({ min: bytes - 70, max: bytes + 70 });
}

/** Contents of every kind: of the golden vectors, one byte, periodic, ramps of any step. */
const content = fc.oneof(
  fc
    .tuple(fc.constantFrom(...Object.keys(GENERATORS)), size, seed)
    .map(([name, bytes, seed]) => generate(name, bytes + 3 - ((bytes + 3) % 4), seed).subarray(0, bytes)),
  fc.tuple(size, fc.nat(255)).map(([bytes, byte]) => new Uint8Array(bytes).fill(byte)),
  fc
    .tuple(size, fc.uint8Array({ minLength: 1, maxLength: 300 }))
    .map(([bytes, period]) => new Uint8Array(Buffer.alloc(bytes, period))),
  fc
    .tuple(size, fc.nat(255), fc.integer({ min: 1, max: 5000 }))
    .map(([bytes, step, run]) => ramp(bytes, step, run)),
);

function ramp(bytes: number, step: number, run: number): Uint8Array {
  const content = new Uint8Array(bytes);
  for (let at = 0, value = 0; at < bytes; at += run, value += step) content.fill(value, at, at + run);
  return content;
}

/** 32 bytes after which even the strict mask cuts. */
const cutting = (() => {
  const random = generate('random', 8 << 20, 11);
  for (let start = 0; ; ) {
    const cut = referenceCut(random, start, random.length);
    if (cut - start < NORMAL_CHUNK_BYTES) return random.slice(cut - 32, cut);
    start = cut;
  }
})();

/** Zeros, which are cut nowhere, but for the places after which there is a cut. */
function zerosCutAt(places: readonly number[], bytes = MAX_CHUNK_BYTES): Uint8Array {
  const content = new Uint8Array(bytes);
  for (const place of places) content.set(cutting, place - cutting.length);
  return content;
}

describe('cuts', () => {
  test.prop([content], runs)('of the kernel are those of the reference', (content) => {
    expect(lengthsOf(content, kernel.nextCut)).toEqual(lengthsOf(content));
  });

  test.prop([content, fc.nat(70), fc.nat(100_000), fc.nat(600_000), fc.boolean()], runs)(
    'of any part of any view at any alignment, of shared memory too',
    (content, before, skipped, length, isShared) => {
      const buffer = isShared
        ? new SharedArrayBuffer(before + content.length)
        : new ArrayBuffer(before + content.length);
      const view = new Uint8Array(buffer, before);
      view.set(content);
      const start = Math.min(skipped, view.length);
      const end = Math.min(start + length, view.length);
      expect(kernel.nextCut(view, start, end)).toBe(referenceCut(view, start, end));
    },
  );

  // Stripes are 2 KiB, pieces 8, windows 16; before the 32nd byte that counts, a hash is of fewer.
  test('at, before and behind each boundary of stripes, pieces, windows, masks and bounds', () => {
    for (let edge = MIN_CHUNK_BYTES; edge <= MIN_CHUNK_BYTES + 5 * 16_384; edge += 2048) {
      for (let place = edge - 36; place <= edge + 36; place++) {
        const content = zerosCutAt([place], place + 3_000);
        const cut = kernel.nextCut(content, 0, content.length);
        // The reference takes its time, and needs to be asked only where a hash is of fewer bytes.
        const expected = edge === MIN_CHUNK_BYTES ? referenceCut(content, 0, content.length) : place;
        if (cut !== expected) expect(cut, `${place}`).toBe(expected);
      }
    }
    const content = zerosCutAt([MIN_CHUNK_BYTES + 2048, MAX_CHUNK_BYTES]);
    expect(kernel.nextCut(content, 0, content.length)).toBe(MIN_CHUNK_BYTES + 2048);
    expect(kernel.nextCut(zerosCutAt([MAX_CHUNK_BYTES]), 0, MAX_CHUNK_BYTES)).toBe(MAX_CHUNK_BYTES);
  });

  test.prop(
    [
      fc.array(fc.integer({ min: MIN_CHUNK_BYTES + 32, max: MAX_CHUNK_BYTES }), {
        minLength: 1,
        maxLength: 12,
      }),
    ],
    { numRuns: 4 * propertyRuns },
  )('at the first of several places, whichever stripe meets its own first', (places) => {
    const content = zerosCutAt(places);
    expect(kernel.nextCut(content, 0, content.length)).toBe(referenceCut(content, 0, content.length));
  });

  // Their first MiB; `chunker.long.test.ts` has all of each.
  test.each(vectors.cases)('of the golden vector of $generator, seed $seed, $bytes bytes', (vector) => {
    const bytes = Math.min(vector.bytes, 4 * MAX_CHUNK_BYTES);
    const content = generate(vector.generator, bytes, vector.seed);
    expect(lengthsOf(content, kernel.nextCut).slice(0, 4)).toEqual(vector.firstLengths);
  });

  test.prop([content, content, fc.constantFrom(2, 4, 8, 16)], runs)(
    'of two contents in turn, with grouping between them, as of each alone',
    (one, other, width) => {
      const cuts = (content: Uint8Array): Iterator<number> => stepwise(content);
      const [first, second] = [cuts(one), cuts(other)];
      const [ofOne, ofOther]: [number[], number[]] = [[], []];
      for (let isDone = false; !isDone; ) {
        const [a, b] = [first.next(), second.next()];
        kernel.groupBytes(one, width, new Uint8Array(one.length));
        if (!a.done) ofOne.push(a.value);
        if (!b.done) ofOther.push(b.value);
        isDone = a.done === true && b.done === true;
      }
      expect([ofOne, ofOther]).toEqual([lengthsOf(one), lengthsOf(other)]);
    },
  );
});

function* stepwise(content: Uint8Array): Generator<number> {
  for (let start = 0; start < content.length; ) {
    const end = kernel.nextCut(content, start, content.length);
    yield end - start;
    start = end;
  }
}

const elementBytes = fc.oneof(
  fc.constantFrom(2, 4, 8, 16),
  fc.integer({ min: MIN_ELEMENT_BYTES, max: MAX_ELEMENT_BYTES }),
);
/** Around the turns of the kernel's loops, and around what it takes at once (64 KiB). */
const lengths = fc.oneof(fc.nat(3000), near(65_536), near(131_072), fc.nat(300_000));

describe('grouping', () => {
  for (const call of ['groupBytes', 'ungroupBytes'] as const) {
    test.prop([lengths, elementBytes, seed, fc.nat(9), fc.nat(9)], { numRuns: 2 * propertyRuns })(
      `${call} of the kernel does as the reference, and touches nothing else`,
      (length, width, seed, before, behind) => {
        const random = generate('random', length + 16 - (length % 4), seed);
        const bytes = random.subarray(before % 4, (before % 4) + length);
        const [ofKernel, ofReference] = [kernel, REFERENCE_KERNEL].map((each) => {
          const buffer = new Uint8Array(before + length + behind).fill(0xee);
          each[call](bytes, width, buffer.subarray(before));
          return Buffer.from(buffer);
        }) as [Buffer, Buffer];
        expect(ofKernel.equals(ofReference)).toBe(true);
      },
    );
  }
});

describe('the kernel of a process', () => {
  test('is the one in WebAssembly, where that runs', () => {
    expect(kernelImplementation()).toBe('wasm');
    const content = generate('random', 1 << 20, 3);
    expect(lengthsOf(content, nextCut)).toEqual(lengthsOf(content));
  });

  test('is the reference where WebAssembly fails, and a warning tells why', async () => {
    const warned = new Promise<Error & { code?: string }>((resolve) => process.once('warning', resolve));
    const chosen = chooseKernel(() => {
      throw new Error('out of executable memory');
    });
    expect(chosen).toBe(REFERENCE_KERNEL);
    const { code, message } = await warned;
    expect(code).toBe('STOWAGE_SLOW_KERNEL');
    expect(message).toContain('out of executable memory');
  });

  test('is assembled from its source, byte for byte', async () => {
    expect(readFileSync(MODULE_FILE, 'utf8')).toBe(await assembleKernel());
  });
});
