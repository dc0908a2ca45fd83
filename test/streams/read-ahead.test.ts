import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { abortError, throwIfAborted } from '../../src/errors.ts';
import { PLAIN_PART_BYTES } from '../../src/format/plain-parts.ts';
import type { GetOptions, StoredObject } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { readAhead } from '../../src/streams/read-ahead.ts';
import { contentOf, MIB } from '../content/contents.ts';
import { codeOf, freshStore } from '../content/storages.ts';
import { test } from '../property.ts';

const AT_ONCE = 4;

describe('what is fetched ahead', () => {
  test.prop([fc.array(fc.nat(5), { maxLength: 20 }), fc.boolean(), fc.scheduler()])(
    'comes in its order, whatever is faster, and never more at once than four',
    async (items, isAsync, scheduler) => {
      let underWay = 0;
      let most = 0;
      const fetch = async (item: number): Promise<string> => {
        underWay += 1;
        most = Math.max(most, underWay);
        await scheduler.schedule(Promise.resolve(), `fetch ${item}`);
        underWay -= 1;
        return `result ${item}`;
      };
      const given: string[] = [];
      const reading = (async () => {
        const source = isAsync
          ? (async function* () {
              yield* items;
            })()
          : items;
        for await (const { item, result } of readAhead(source, fetch, {})) given.push(`${item}: ${result}`);
      })();
      await scheduler.waitFor(reading);
      expect(given).toEqual(items.map((item) => `${item}: result ${item}`));
      expect(most).toBeLessThanOrEqual(AT_ONCE);
    },
  );

  it('ends with the first failure in the order, and what was on its way is ended and waited for', async () => {
    const ended: number[] = [];
    const fetch = async (item: number, { signal }: { signal?: AbortSignal | undefined }): Promise<number> => {
      if (item === 1) throw new Error('the second is gone');
      if (item > 1) {
        await new Promise((resolve) => signal?.addEventListener('abort', resolve));
        ended.push(item);
      }
      return item;
    };
    const given: number[] = [];
    const reading = (async () => {
      for await (const { result } of readAhead([0, 1, 2, 3, 4, 5], fetch, {})) given.push(result);
    })();
    await expect(reading).rejects.toThrow('the second is gone');
    expect(given).toEqual([0]);
    expect(ended).toEqual([2, 3, 4]);
  });

  it('ends with its signal, whatever has come by then', async () => {
    const ending = new AbortController();
    const given: number[] = [];
    const reading = (async () => {
      for await (const { item } of readAhead([0, 1, 2], async (item) => item, { signal: ending.signal })) {
        given.push(item);
        ending.abort();
      }
    })();
    expect(await codeOf(reading)).toBe('ABORTED');
    expect(given).toEqual([0]);
  });
});

/** Its reads from the second of a pack or a plain object on come only once they are let go, or never where they are aborted. */
class HeldStorage extends StorageDecorator {
  underWay = 0;
  aborted = 0;
  #reads = 0;
  #resolve: () => void = () => {};
  readonly #released = new Promise<void>((resolve) => {
    this.#resolve = resolve;
  });

  letGo(): void {
    this.#resolve();
  }

  override async get(name: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    throwIfAborted(options.signal);
    if (/^(packs|plain)\//.test(name) && this.#reads++ > 0) {
      this.underWay += 1;
      const { signal } = options;
      await new Promise<void>((resolve, reject) => {
        this.#released.then(resolve);
        signal?.addEventListener('abort', () => {
          this.aborted += 1;
          reject(abortError(signal));
        });
      });
    }
    return this.inner.get(name, options);
  }
}

describe.each(['a chunked content', 'a plain object'])('%s', (kind) => {
  let made: Promise<{ storage: MemoryStorage; content: Uint8Array; key: string }> | undefined;
  function saved(): NonNullable<typeof made> {
    made ??= (async () => {
      const storage = new MemoryStorage();
      const content = contentOf(5 * PLAIN_PART_BYTES + MIB, 3);
      const store = freshStore(storage);
      const [blob] =
        kind === 'a plain object'
          ? await store.saveData([{ name: 'x', data: content }])
          : await store.saveBlobs([content]);
      return { storage, content, key: blob?.key as string };
    })();
    return made;
  }

  it('is read by ranges side by side', async () => {
    const { storage, content, key } = await saved();
    const held = new HeldStorage(storage);
    const pieces: Uint8Array[] = [];
    const reading = (async () => {
      for await (const piece of freshStore(held).streamBlob(key)) {
        // The first range was not held; while it is given, three more are on their way.
        if (pieces.length === 0) {
          expect(held.underWay).toBe(AT_ONCE - 1);
          held.letGo();
        }
        pieces.push(piece);
      }
    })();
    await reading;
    expect(Buffer.compare(Buffer.concat(pieces), content)).toBe(0);
  });

  it('that is not read to its end waits for nothing', async () => {
    const { storage, key } = await saved();
    const held = new HeldStorage(storage);
    for await (const _ of freshStore(held).streamBlob(key)) break;
    expect(held.aborted).toBe(AT_ONCE - 1);
  });

  it('that is read under a signal ends with it', async () => {
    const { storage, key } = await saved();
    const held = new HeldStorage(storage);
    const ending = new AbortController();
    const reading = async (): Promise<void> => {
      for await (const _ of freshStore(held).streamBlob(key, { signal: ending.signal })) ending.abort();
    };
    expect(await codeOf(reading())).toBe('ABORTED');
    expect(held.aborted).toBe(AT_ONCE - 1);
  });
});
