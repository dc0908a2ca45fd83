// Catches the index of a store up, again and again, and says when it begins and what each came to, as lines of JSON.
// Usage: node catch-up.mjs HOW STORE [PATH]; begins with a line on standard input, and ends behind the catch-up in which that is closed.
// HOW is `again`; `anew`, which makes the index anew once in between; or `killed`, which is killed by itself in the middle of the first.
import { once } from 'node:events';
import { openStorage, StoreIndex } from '../../../dist/index.js';

const [how, store, path] = process.argv.slice(2);
const storage = await openStorage(store);
const index = await StoreIndex.open({ store: storage, path });
const tell = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);
let isOver = false;
process.stdin.once('end', () => {
  isOver = true;
});

function onProgress({ itemsDone }) {
  if (how === 'killed' && itemsDone > 0) process.kill(process.pid, 'SIGKILL');
}

tell({ ready: true });
await once(process.stdin, 'data');
process.stdin.resume();
for (let times = 1; ; times += 1) {
  const isLast = isOver;
  tell({ begun: times });
  const done = how === 'anew' && times === 2 ? await index.rebuild() : await index.catchUp({ onProgress });
  tell({ caughtUp: times, done });
  if (isLast) break;
}
await index.close();
await storage.close();
