// Waits for a line on standard input, then calls a serialized task, and says what it got, or `fenced` where its lease was taken over.
// Usage: node serialized-call.mjs STORE LOG_FILE RUN_MS LEASE_MS; each run appends a line to LOG_FILE.

import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowDataStore } from '../../../dist/index.js';

const [store, log, runMs, leaseMs] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Test', storage: store });
const task = flow.cachedTask({
  name: 'serialized',
  version: '1',
  serialize: true,
  leaseMs: Number(leaseMs),
  run: async () => {
    appendFileSync(log, `${process.pid}\n`);
    process.stdout.write('running\n');
    await sleep(Number(runMs));
    return `value of ${process.pid}`;
  },
});
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const { value, notStoredReason } = await task.detailed();
process.stdout.write(`${notStoredReason === 'fenced' ? 'fenced' : value}\n`);
process.stdin.destroy();
