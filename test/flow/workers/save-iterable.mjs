// Saves artifacts of a megabyte each from an iterable, and says by how much memory grew, in bytes.
// Usage: node --expose-gc save-iterable.mjs STORE COUNT
import { FlowDataStore, openStorage } from '../../../dist/index.js';

const MEGABYTE = 1_000_000;
const [store, count] = process.argv.slice(2);

/** Different bytes each time, half of them noise, in memory of their own. */
function* artifacts(total) {
  let state = 1;
  for (let i = 0; i < total; i++) {
    const words = new Uint32Array(MEGABYTE / 4);
    for (let j = 0; j < words.length; j++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[j] = state & 0xffff;
    }
    yield [`a${i}`, words];
  }
}

async function* inTurn(items) {
  yield* items;
}

const storage = await openStorage(store, { local: { fsync: false } });
const flow = await FlowDataStore.open({ flowName: 'Test', storage });
const { signal } = new AbortController();
const save = (taskId, total) =>
  flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) =>
    task.saveArtifacts(inTurn(artifacts(total)), { signal }),
  );
await save('warm', 20); // codecs and the like are loaded by now
globalThis.gc();
const start = process.memoryUsage.rss();
let peak = start;
const timer = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss());
}, 5);
await save('all', Number(count));
clearInterval(timer);
process.stdout.write(JSON.stringify({ grownBytes: peak - start, count: Number(count) }));
await storage.close();
