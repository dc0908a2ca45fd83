// Waits for a line on standard input, then saves contents, each several times, and prints what was saved as JSON.
// Usage: node save-contents.mjs STORE SEEDS TIMES FORM; SEEDS is a list such as 1,2,3; FORM is bytes or streams.
import { once } from 'node:events';
import { ContentAddressedStore, LocalStorage } from '../../../dist/index.js';
import { contentOfSeed } from './content-of-seed.mjs';

const [path, seeds, times, form] = process.argv.slice(2);
const storage = await LocalStorage.open(path, { fsync: false });
const contents = seeds.split(',').map((seed) => contentOfSeed(Number(seed)));
/** @param {Uint8Array} bytes */
async function* streamOf(bytes) {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const saved = [];
for (let i = 0; i < Number(times); i++) {
  const store = new ContentAddressedStore(storage);
  saved.push(...(await store.saveBlobs(form === 'streams' ? contents.map(streamOf) : contents)));
}
await storage.close();
process.stdout.write(`${JSON.stringify(saved)}\n`);
process.exit(0);
