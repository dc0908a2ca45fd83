// Waits for a line on standard input, then saves contents, each several times, and prints what was saved as JSON.
// Usage: node save-contents.mjs STORE SEEDS TIMES; SEEDS is a list such as 1,2,3.
import { once } from 'node:events';
import { ContentAddressedStore, LocalStorage } from '../../../dist/index.js';
import { contentOfSeed } from './content-of-seed.mjs';

const [path, seeds, times] = process.argv.slice(2);
const storage = await LocalStorage.open(path, { fsync: false });
const contents = seeds.split(',').map((seed) => contentOfSeed(Number(seed)));
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const saved = [];
for (let i = 0; i < Number(times); i++) {
  const store = new ContentAddressedStore(storage);
  saved.push(...(await store.saveBlobs(contents)));
}
await storage.close();
process.stdout.write(`${JSON.stringify(saved)}\n`);
process.exit(0);
