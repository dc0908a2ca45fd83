import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf } from './contents.ts';
import { codeOf, copiesIn, freshStore } from './storages.ts';

const MIB = 1024 * 1024;
/** Turns one byte to and fro for as long as it runs. */
const CHANGING = `
const { workerData: { bytes, at }, parentPort } = require('node:worker_threads');
parentPort.postMessage('changing');
setInterval(() => { for (let i = 0; i < 2_000_000; i++) bytes[at] ^= 0xff; });
`;

describe('memory that another thread changes all the time is saved as one of its states, or refused', () => {
  const bytes = new Uint8Array(new SharedArrayBuffer(MIB));
  bytes.set(contentOf(MIB));
  const at = 70_000;
  let thread: Worker;
  beforeAll(async () => {
    thread = new Worker(CHANGING, { eval: true, workerData: { bytes, at } });
    await once(thread, 'message');
  });
  afterAll(() => thread.terminate());

  type Save = (store: ReturnType<typeof freshStore>, bytes: Uint8Array) => Promise<StoredContent[]>;
  const asBlob: Save = (store, blob) => store.saveBlobs([blob]);
  test.each<[string, number, Save]>([
    ['a small content', 80_000, asBlob],
    ['a chunked content', MIB, asBlob],
    ['a Buffer', MIB, (store, { buffer, length }) => store.saveBlobs([Buffer.from(buffer, 0, length)])],
    ['a plain object', MIB, (store, data) => store.saveData([{ name: 'x', data }])],
  ])('%s', async (_, length, save) => {
    for (let round = 0; round < 40; round++) {
      const storage = new MemoryStorage();
      let saved: StoredContent[] = [];
      const code = await codeOf(async () => {
        saved = await save(freshStore(storage), bytes.subarray(0, length));
      });
      if (code !== undefined) expect(code).toBe('INVALID_ARGUMENT');
      const { reader } = freshStore(storage);
      for (const name of await copiesIn(storage)) {
        expect(await codeOf(reader.verifyCopy(name)), `round ${round}`).toBeUndefined();
      }
      for (const { key } of saved) expect(digestHex(await reader.load({ key }))).toBe(key);
    }
  });
});
