import { existsSync, readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { LocalStorage } from '../../src/storage/local.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { contentOf, MIB, streamOf } from './contents.ts';
import { freshStore } from './storages.ts';

const folder = scratchFolder();
let stores = 0;
const MOST_MS = 20;
/** Collections of garbage and late compilations come now and then: the best of so many rounds counts. */
const ROUNDS = 5;
/** `npm run check-memory` saves 1 GiB. */
const MEBIBYTES = Number(process.env.STOWAGE_LOOP_MEBIBYTES ?? 64);
const SCHEDSTAT = '/proc/thread-self/schedstat';

describe('the event loop is not held up while large content is', () => {
  const noise = (): Uint8Array => filled(MEBIBYTES, (mebibyte) => contentOf(MIB, mebibyte + 1));
  const floats = (): Uint8Array =>
    filled(MEBIBYTES, (mebibyte) => {
      const values = new Float32Array(MIB / 4);
      for (let i = 0; i < values.length; i++) values[i] = ((i * (mebibyte + 7)) % 100_003) / 977;
      return new Uint8Array(values.buffer);
    });
  const text = (): Uint8Array => filled(MEBIBYTES / 2, linesOf);

  test.each([
    ['noise', noise],
    ['floats', floats],
    ['text', text],
  ])('saved, saved again and loaded: %s', async (_, make) => {
    const content = make();
    const open = (): Promise<LocalStorage> => LocalStorage.open(`${folder}/${stores++}`, { fsync: false });
    const storage = await open();
    const store = freshStore(storage);
    await store.prepareToWrite();
    const key = (await store.saveBlobs([content]))[0]?.key as string;
    await expectTurns('saved', async () => freshStore(await open()).saveBlobs([content]));
    await expectTurns('saved again', () => store.saveBlobs([content]));
    await expectTurns('loaded', () => freshStore(storage).reader.load({ key, bytes: content.length }));
    await expectTurns('loaded by its key', () => freshStore(storage).reader.load({ key }));
  });

  test('saved as a stream, and loaded as one: text', async () => {
    const content = text();
    const open = (): Promise<LocalStorage> => LocalStorage.open(`${folder}/${stores++}`, { fsync: false });
    const storage = await open();
    const save = async (to: LocalStorage) =>
      freshStore(to).saveBlobs([streamOf(content, { lengths: [MIB], reused: false })]);
    const key = (await save(storage))[0]?.key as string;
    await expectTurns('saved', async () => save(await open()));
    await expectTurns('loaded', async () => {
      for await (const _ of freshStore(storage).streamBlob(key));
    });
  });

  test('eight at once: one turn does not have the work of all', async () => {
    const contents = Array.from({ length: 8 }, (_, i) => filled(3, (mebibyte) => linesOf(3 * i + mebibyte)));
    const storage = await LocalStorage.open(`${folder}/${stores++}`, { fsync: false });
    const save = (to: LocalStorage) =>
      Promise.all(contents.map((content) => freshStore(to).saveBlobs([content])));
    const keys = (await save(storage)).map(([saved]) => saved?.key as string);
    await expectTurns('saved', async () =>
      save(await LocalStorage.open(`${folder}/${stores++}`, { fsync: false })),
    );
    await expectTurns('loaded', () =>
      Promise.all(keys.map((key) => freshStore(storage).reader.load({ key, bytes: 3 * MIB }))),
    );
  });

  /** Lines of JSON, others for each mebibyte. */
  function linesOf(mebibyte: number): Uint8Array {
    const lines: string[] = [];
    for (let id = mebibyte * MIB, length = 0; length < MIB; id++) {
      const line = `{"id":${id},"of":"${(id * 2654435761) % 1000003}","on":${id % 7}}\n`;
      lines.push(line);
      length += line.length;
    }
    return Buffer.from(lines.join('')).subarray(0, MIB);
  }

  function filled(mebibytes: number, mebibyteOf: (mebibyte: number) => Uint8Array): Uint8Array {
    const whole = new Uint8Array(mebibytes * MIB);
    for (let i = 0; i < mebibytes; i++) whole.set(mebibyteOf(i), i * MIB);
    return whole;
  }

  /** Expects that no turn of the loop takes longer than 20 ms. */
  async function expectTurns(what: string, work: () => Promise<unknown>): Promise<void> {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS && best >= MOST_MS; round++) {
      let isOver = false;
      const working = work().finally(() => {
        isOver = true;
      });
      let longest = 0;
      for (let since = workedMs(); !isOver; ) {
        await nextTurn();
        const now = workedMs();
        longest = Math.max(longest, now - since);
        since = now;
      }
      await working;
      best = Math.min(best, longest);
    }
    expect(best, what).toBeLessThan(MOST_MS);
  }

  /** The processor's time of this thread, which others on the machine do not lengthen; the clock where no such is told. */
  function workedMs(): number {
    if (!existsSync(SCHEDSTAT)) return performance.now();
    return Number(readFileSync(SCHEDSTAT, 'latin1').split(' ')[0]) / 1e6;
  }
});
