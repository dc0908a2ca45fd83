// Copies a store whose artifacts are large, and says by how much memory grew, in bytes.
// Usage: node --expose-gc copy-large.mjs WARM FROM TO
import { copyStore, openStorage } from '../../../dist/index.js';

const [warm, from, to] = process.argv.slice(2);
const open = (folder) => openStorage(folder, { local: { fsync: false } });
await copyStore({ from: warm, to: await open(`${to}-warm`) }); // codecs and the like are loaded by now
globalThis.gc();
const start = process.memoryUsage.rss();
let peak = start;
const timer = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss());
}, 5);
const { contentBytes, problems } = await copyStore({ from: await open(from), to: await open(to) });
clearInterval(timer);
process.stdout.write(JSON.stringify({ grownBytes: peak - start, contentBytes, problems: problems.length }));
