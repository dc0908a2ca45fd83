// Calls a serialized task that calls another one, once it has begun, and says what came of it as JSON.
// Usage: node circular-call.mjs STORE FIRST SECOND; waits for a line on standard input before FIRST calls SECOND, which calls FIRST.

import { once } from 'node:events';
import { FlowDataStore } from '../../../dist/index.js';

const [store, first, second] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Test', storage: store });
const options = { version: '1', serialize: true, leaseMs: 1_500 };
const one = flow.cachedTask({
  ...options,
  name: first,
  run: async () => {
    process.stdout.write('running\n');
    await once(process.stdin, 'data');
    return two();
  },
});
/** @type {() => Promise<unknown>} */
const two = flow.cachedTask({ ...options, name: second, run: () => one() });
const said = await one().catch((/** @type {any} */ error) => ({ code: error.code, message: error.message }));
process.stdout.write(`${JSON.stringify(said)}\n`);
process.stdin.destroy();
