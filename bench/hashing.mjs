// How often content is hashed: npm run build && node bench/hashing.mjs
import { createRequire } from 'node:module';
import { openScratch } from './scratch.mjs';
import { muchNoise } from './values.mjs';

const BYTES = 64 * 1024 * 1024;
const { Blake3Hasher } = createRequire(import.meta.url)('@napi-rs/blake-hash');
let hashed = 0;
const { update } = Blake3Hasher.prototype;
Blake3Hasher.prototype.update = function counted(bytes) {
  hashed += bytes.length;
  return update.call(this, bytes);
};
const { FlowDataStore } = await import('../dist/index.js');

const content = muchNoise(BYTES);
const scratch = openScratch();
process.once('exit', scratch.dispose);
await scratch.withFolder(async (root) => {
  const open = () => FlowDataStore.open({ flowName: 'Bench', storage: root });
  let flow = await open();
  const { key } = await counted('saved from memory, new', () => save(flow, content));
  await counted('saved from memory, known to this flow', () => save(flow, content));
  await flow.close();
  flow = await open();
  await counted('saved from memory, known to the store', () => save(flow, content));
  await flow.close();
  flow = await open();
  await counted('saved from a stream, known to the store', () => save(flow, pieces(content)));
  await counted('loaded', () => load(flow, key));
  await flow.close();
});
await scratch.withFolder(async (root) => {
  const flow = await FlowDataStore.open({ flowName: 'Bench', storage: root });
  await counted('saved from a stream, new', () => save(flow, pieces(content)));
  await flow.close();
});

async function counted(what, work) {
  hashed = 0;
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  console.log(
    `${what}: hashed ${(hashed / BYTES).toFixed(2)} times, ${((1000 * (user + system)) / BYTES).toFixed(2)} ns of the processor a byte`,
  );
  return result;
}

async function save(flow, blob) {
  const [saved] = await flow.caStore.saveBlobs([blob]);
  return saved;
}

async function load(flow, key) {
  for await (const { blob } of flow.caStore.loadBlobs([key])) return blob;
}

async function* pieces(bytes) {
  for (let at = 0; at < bytes.length; at += 1024 * 1024) yield bytes.subarray(at, at + 1024 * 1024);
}
