// Sends content of many megabytes up and takes it down again, in one of three ways, and prints as JSON by how much memory
// grew on each way, in bytes, and whether what came down is what went up.
// Usage: node --expose-gc one-large-content.mjs ADDRESS STORAGE_OPTIONS(JSON) MEBIBYTES object|artifact|plain
import { createHash } from 'node:crypto';
import { FlowDataStore, openStorage } from '../../../dist/index.js';

const MIB = 1024 * 1024;
const [address, options, mebibytes, way] = process.argv.slice(2);

/** Different bytes in each mebibyte, which do not compress. */
async function* content(total, digest) {
  const noise = new Uint32Array(MIB / 4);
  let state = 1;
  for (let i = 0; i < total; i++) {
    for (let j = 0; j < noise.length; j++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      noise[j] = state;
    }
    const piece = new Uint8Array(noise.buffer.slice(0));
    digest?.update(piece);
    yield piece;
  }
}

const storage = await openStorage(address, JSON.parse(options));
const flow = await FlowDataStore.open({ flowName: 'Large', storage });
const ways = {
  object: {
    save: (name, source) => storage.create(name, source),
    async *read(name, total) {
      const length = 32 * MIB;
      for (let offset = 0; offset < total * MIB; offset += length) {
        yield (await storage.get(name, { range: { offset, length } })).body;
      }
    },
  },
  artifact: {
    save: (taskId, source) =>
      flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifactStream('a', source)),
    async *read(taskId) {
      yield* (await flow.getTaskDataStore(`r1/fit/${taskId}`)).streamArtifact('a');
    },
  },
  plain: {
    keys: new Map(),
    async save(name, source) {
      const [saved] = await flow.saveData([{ name, data: source }]);
      this.keys.set(name, saved.key);
    },
    async *read(name) {
      yield* flow.caStore.streamBlob(this.keys.get(name));
    },
  },
};
const { [way]: chosen } = ways;

/** How far memory rises above where it was before all, while work is done. */
async function growth(work) {
  let peak = process.memoryUsage.rss();
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  await work();
  clearInterval(timer);
  return Math.max(peak, process.memoryUsage.rss()) - start;
}

async function read(name, total) {
  const digest = createHash('sha256');
  for await (const piece of chosen.read(name, total)) digest.update(piece);
  return digest.digest('hex');
}

await chosen.save('warm', content(1)); // SDK, codecs and connections are loaded by now
await read('warm', 1);
const total = Number(mebibytes);
const sent = createHash('sha256');
globalThis.gc();
const start = process.memoryUsage.rss();
const up = await growth(() => chosen.save('large', content(total, sent)));
let received;
const down = await growth(async () => {
  received = await read('large', total);
});
process.stdout.write(JSON.stringify({ up, down, isSame: received === sent.digest('hex') }));
await flow.close();
await storage.close();
