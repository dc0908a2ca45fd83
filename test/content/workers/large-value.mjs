// Saves one large value, or loads the one that was saved as a stream, and prints as JSON the peak of its resident memory, in bytes: of a
// typed array over what it was before the save, of a stream in all.
// Usage: node --expose-gc large-value.mjs STORE MEBIBYTES typed|stream|load
import { readFileSync } from 'node:fs';
import { FlowDataStore, openStorage } from '../../../dist/index.js';

const MIB = 1024 * 1024;
const [store, mebibytes, way] = process.argv.slice(2);

/** A mebibyte of numbers that do not compress; each has its place in it, so that no chunk is like another. */
const noise = new Uint32Array(MIB / 4);
for (let i = 0, state = 1; i < noise.length; i++) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  noise[i] = state;
}

function fill(words, mebibyte) {
  words.set(noise);
  for (let at = 0; at < words.length; at += 1024) words[at] = mebibyte * 1024 + at;
}

async function* pieces(total) {
  for (let i = 0; i < total; i++) {
    const words = new Uint32Array(noise.length);
    fill(words, i);
    yield new Uint8Array(words.buffer);
  }
}

/** The most memory that was resident since the process began. */
function peakBytes() {
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]) * 1024;
}

const storage = await openStorage(store, { local: { fsync: false } });
const flow = await FlowDataStore.open({ flowName: 'Large', storage });
const task = (taskId) => ({ runId: 'r1', stepName: 's', taskId });
const total = Number(mebibytes);
const ways = {
  async typed() {
    await ways.stream('warm', 1);
    const value = new Uint32Array((total * MIB) / 4);
    for (let i = 0; i < total; i++) fill(value.subarray((i * MIB) / 4, ((i + 1) * MIB) / 4), i);
    globalThis.gc();
    const before = process.memoryUsage.rss();
    await flow.task(task('typed'), (open) => open.saveArtifacts({ x: value }));
    return { overValueBytes: peakBytes() - before };
  },
  async stream(taskId = 'stream', length = total) {
    await flow.task(task(taskId), (open) => open.saveArtifactStream('x', pieces(length)));
    return { peakBytes: peakBytes() };
  },
  async load() {
    const saved = await flow.getTaskDataStore('r1/s/stream');
    let bytes = 0;
    for await (const piece of saved.streamArtifact('x')) bytes += piece.length;
    return { peakBytes: peakBytes(), bytes };
  },
};
process.stdout.write(JSON.stringify(await ways[way]()));
await flow.close();
await storage.close();
