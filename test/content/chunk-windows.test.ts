import fc from 'fast-check';
import { expect } from 'vitest';
import { ENVELOPE_HEADER_BYTES } from '../../src/codec/envelope.ts';
import { LOCAL_WINDOW, WINDOW, windowsOf } from '../../src/content/reading/chunk-windows.ts';
import type { ChunkColumns, PackEntry } from '../../src/format/manifest.ts';
import { test } from '../property.ts';

/** A chunk that is as long as any, in its envelope. */
const CHUNK_BYTES = 257 * 1024;

interface Laid {
  columns: ChunkColumns;
  packs: PackEntry[];
}

/** Chunks in some packs: one after the other, with gaps, out of order, repeated. */
const anyLayout: fc.Arbitrary<Laid> = fc
  .array(
    fc.record({
      pack: fc.nat(2),
      length: fc.integer({ min: 1, max: 256 * 1024 }),
      gap: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(300_000)),
      shrinks: fc.boolean(),
      /** Says that the chunk is one that came before. */
      repeats: fc.option(fc.nat(50), { freq: 5 }),
    }),
    { minLength: 1, maxLength: 300 },
  )
  .map((chunks) => {
    const ends = [0, 0, 0];
    const rows: { digest: number; length: number; pack: number; offset: number; storedBytes: number }[] = [];
    for (const { pack, length, gap, shrinks, repeats } of chunks) {
      const before = repeats === null ? undefined : rows[repeats];
      const storedBytes = ENVELOPE_HEADER_BYTES + (shrinks ? Math.ceil(length / 2) : length);
      const offset = (ends[pack] as number) + gap;
      if (!before) ends[pack] = offset + storedBytes;
      rows.push(before ?? { digest: rows.length, length, pack, offset, storedBytes });
    }
    const digests = new Uint8Array(rows.length * 32);
    for (const [index, { digest }] of rows.entries()) digests.fill(digest, index * 32, index * 32 + 32);
    return {
      columns: {
        digests,
        lengths: Uint32Array.from(rows, ({ length }) => length),
        packs: Uint32Array.from(rows, ({ pack }) => pack),
        offsets: Uint32Array.from(rows, ({ offset }) => offset),
        storedBytes: Uint32Array.from(rows, ({ storedBytes }) => storedBytes),
      },
      packs: ends.map((bytes, index) => ({ name: `packs/${index}`, bytes })),
    };
  });

test.prop([
  anyLayout,
  fc.nat(100),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.constantFrom(WINDOW, LOCAL_WINDOW),
])(
  'windows are the chunks that a stretch touches, each in its place, by requests that overlap nowhere and are no more than its runs',
  ({ columns, packs }, groupStart, from, to, size) => {
    const bytes = columns.lengths.reduce((sum, length) => sum + length, 0);
    const [start, end] = [from, to]
      .sort((a, b) => a - b)
      .map((share) => groupStart + Math.floor(share * bytes)) as [number, number];
    const windows = [...windowsOf(columns, packs, groupStart, { start, end }, size)];

    // What lies where, by the windows and by the columns.
    const told: string[] = [];
    let next: number | undefined;
    for (const window of windows) {
      expect(window.start).toBe(next ?? window.start);
      next = window.start + window.bytes;
      for (const { pack, offset, storedBytes, chunks } of window.spans) {
        let at = offset;
        for (const chunk of chunks) {
          expect(chunk.offset).toBeGreaterThanOrEqual(at);
          at = chunk.offset + chunk.storedBytes;
          for (const place of chunk.places) {
            told.push([window.start + place, chunk.length, pack.name, chunk.offset, chunk.digest[0]].join());
          }
        }
        expect(at).toBe(offset + storedBytes);
      }
    }
    const expected: string[] = [];
    let runs = 0;
    let last = '';
    let at = groupStart;
    columns.lengths.forEach((length, index) => {
      const [pack, offset] = [columns.packs[index] as number, columns.offsets[index] as number];
      if (at + length > start && at < end) {
        const { name } = packs[pack] as PackEntry;
        expected.push([at, length, name, offset, columns.digests[index * 32]].join());
        if (last !== `${pack} ${offset}`) runs += 1;
        last = `${pack} ${offset + (columns.storedBytes[index] as number)}`;
      }
      at += length;
    });
    expect(told.sort()).toEqual(expected.sort());

    const spans = windows.flatMap((window) => window.spans);
    const stored = spans.reduce((sum, span) => sum + span.storedBytes, 0);
    expect(spans.length).toBeLessThanOrEqual(
      runs + Math.ceil(stored / (size.storedBytes - CHUNK_BYTES)) + Math.ceil(bytes / size.bytes),
    );
    for (const window of windows) expect(window.bytes).toBeLessThan(size.bytes + CHUNK_BYTES);
    for (const span of spans) expect(span.storedBytes).toBeLessThan(size.storedBytes + CHUNK_BYTES);
  },
);
