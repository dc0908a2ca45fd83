// Makes the index of a store in SQLite, and prints as JSON the attempts that it has, and the peak of this process's resident memory over what
// it was before, in bytes.
// Usage: node index-memory.mjs ADDRESS
import { readFileSync } from 'node:fs';
import { openStorage, StoreIndex } from '../../../dist/index.js';

const storage = await openStorage(process.argv[2]);
const index = await StoreIndex.open({ store: storage });
const before = process.memoryUsage.rss();
const { attempts } = await index.catchUp();
const peakBytes = Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]) * 1024;
await index.close();
await storage.close();
process.stdout.write(JSON.stringify({ attempts, overBytes: peakBytes - before }));
