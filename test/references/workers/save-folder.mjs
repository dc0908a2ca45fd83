import { existsSync, readFileSync } from 'node:fs';
import { FlowDataStore } from '../../../dist/index.js';

// Saves a folder once, and tells its digest and the bytes that the process read meanwhile, of whatever (Linux tells them).
const [, , storage, folder] = process.argv;
const flow = await FlowDataStore.open({ flowName: 'Test', storage });
await flow.files.fromData('first', 'loads what saves need');
const before = bytesRead();
const { digest } = await flow.directories.fromLocal(folder);
const read = bytesRead() - before;
await flow.close();
console.log(JSON.stringify({ digest, read }));

function bytesRead() {
  return existsSync('/proc/self/io')
    ? Number(/^rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))[1])
    : 0;
}
