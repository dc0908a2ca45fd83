import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { PACK_TARGET_BYTES } from '../../src/content/content-place.ts';
import { StowageError } from '../../src/errors.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf, MIB } from './contents.ts';
import { codeOf, freshStore, namesOf, ObservedStorage } from './storages.ts';

/** Two packs, what a stream is cut from, and the piece that comes next. */
const MOST_BYTES = 2 * PACK_TARGET_BYTES + 8 * MIB;
const TOTAL_BYTES = 5 * PACK_TARGET_BYTES;

/** A stream that tells how much was asked of it, and whether it was ended. */
class Source {
  givenBytes = 0;
  isEnded = false;

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const noise = contentOf(MIB);
    try {
      while (this.givenBytes < TOTAL_BYTES) {
        this.givenBytes += MIB;
        const piece = Buffer.from(noise);
        for (let at = 0; at < MIB; at += 1024) piece.writeUInt32LE(this.givenBytes + at, at);
        yield piece;
      }
    } finally {
      this.isEnded = true;
    }
  }
}

describe('a stream whose first pack is not written yet', () => {
  test('is asked for no more than two packs, and for all once it is', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const source = new Source();
    let release = (): void => {};
    const isReleased = new Promise<void>((resolve) => {
      release = resolve;
    });
    let writes = 0;
    storage.before = (operation, name) => {
      if (operation !== 'create' || !name.startsWith('packs/')) return;
      writes++;
      return isReleased;
    };
    const saving = freshStore(storage).saveBlobs([source]);
    while (writes === 0) await nextTurn();
    await standingStill(source);
    expect(writes).toBe(1);
    expect(source.givenBytes).toBeLessThanOrEqual(MOST_BYTES);
    release();
    await saving;
    expect(source.givenBytes).toBe(TOTAL_BYTES);
  });

  test('is asked for no more than the next pack where writing it fails, ended, and nothing of it stays', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const source = new Source();
    storage.before = (operation, name) => {
      if (operation !== 'create' || !name.startsWith('packs/')) return;
      throw new StowageError('STORAGE_FAILED', 'The disk is full.');
    };
    expect(await codeOf(freshStore(storage).saveBlobs([source]))).toBe('STORAGE_FAILED');
    expect(source.givenBytes).toBeLessThanOrEqual(MOST_BYTES);
    expect(source.isEnded).toBe(true);
    expect(await namesOf(storage, 'packs/')).toEqual([]);
  });

  test('is ended by an abort within a pack, and nothing of it stays', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const source = new Source();
    const abort = new AbortController();
    storage.before = (operation, name) => {
      if (operation === 'create' && name.startsWith('packs/')) abort.abort();
    };
    expect(await codeOf(freshStore(storage).saveBlobs([source], { signal: abort.signal }))).toBe('ABORTED');
    expect(source.givenBytes).toBeLessThanOrEqual(MOST_BYTES);
    expect(source.isEnded).toBe(true);
    expect(await namesOf(storage, 'packs/')).toEqual([]);
  });
});

/** Waits until nothing more was asked of a source for many turns of the event loop: each turn of a save has its share of the work. */
async function standingStill(source: Source): Promise<void> {
  for (let turns = 0, before = -1; turns < 200; turns++) {
    if (source.givenBytes !== before) turns = 0;
    before = source.givenBytes;
    await nextTurn();
  }
}
