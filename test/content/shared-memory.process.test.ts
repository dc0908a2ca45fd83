import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
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

  /** Each of its two states, saved from memory that nobody changes. */
  const states = [0, 0xff].map((flip) => {
    const state = contentOf(MIB);
    state[at] = (state[at] as number) ^ flip;
    return state;
  });
  async function* inPieces(): AsyncGenerator<Uint8Array> {
    for (let start = 0; start < MIB; start += 50_000) yield bytes.subarray(start, start + 50_000);
  }

  test.each<[string, (flow: FlowDataStore, task: OpenTaskDataStore) => Promise<unknown>]>([
    ['a content', (flow) => flow.caStore.saveBlobs([bytes])],
    ['a stream', (flow) => flow.caStore.saveBlobs([inPieces()])],
    ['an artifact', (_, task) => task.saveArtifacts({ changing: bytes })],
    ['numbers', (_, task) => task.saveArtifacts({ changing: new Float32Array(bytes.buffer) })],
    ['an artifact that is a stream', (_, task) => task.saveArtifactStream('changing', inPieces())],
  ])('poisons nothing that is remembered of it, here or by a hint: %s', async (_, save) => {
    const storage = new MemoryStorage();
    const open = (): Promise<FlowDataStore> => FlowDataStore.open({ flowName: 'F', storage });
    await using flow = await open();
    for (let round = 0; round < 20; round++) {
      const spec = { runId: 'r1', stepName: 's', taskId: `changing-${round}` };
      const code = await codeOf(flow.task(spec, (task) => save(flow, task)));
      expect([undefined, 'INVALID_ARGUMENT', 'SAVE_FAILED']).toContain(code);
    }
    // What this process remembers, and what another one learns from the hint, is what its digests say.
    await using another = await open();
    for (const [taskId, by] of [flow, another].entries()) {
      const spec = { runId: 'r2', stepName: 's', taskId: String(taskId) };
      await by.task(spec, (task) => task.saveArtifacts(Object.fromEntries(states.entries())));
      const task = await (await open()).getTaskDataStore(`r2/s/${taskId}`);
      for (const [index, state] of states.entries()) {
        const loaded = await task.get<Uint8Array>(String(index));
        expect(digestHex(loaded)).toBe(digestHex(state));
      }
    }
    const { reader } = freshStore(storage);
    for (const name of await copiesIn(storage)) await reader.verifyCopy(name);
    for (const task of await (await open()).getTaskDataStores({ runId: 'r1' })) {
      for (const key of task.keysForArtifacts()) expect(digestHex(await reader.load({ key }))).toBe(key);
      for (const name of task.names()) {
        const { key } = task.info(name);
        for await (const { value } of task.artifacts({ names: [name] }))
          expect(digestHex(new Uint8Array((value as Uint8Array).buffer))).toBe(key);
      }
    }
  });
});
