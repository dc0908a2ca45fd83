// One side of a comparison: a process that answers each line {"root"} with {"ms"}, and {"store"} with {}. See ../side.mjs.
import { createInterface } from 'node:readline';
import { MEASUREMENTS } from '../measurements/index.mjs';

const measurement = MEASUREMENTS.find(({ id }) => id === process.argv[2]);
const values = measurement.makeValues();
const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { root, store } = JSON.parse(line);
  if (store) {
    await measurement.makeStore({ root: store, values });
    answer({});
    continue;
  }
  let ms;
  const timed = async (work) => {
    const start = performance.now();
    const result = await work();
    ms = performance.now() - start;
    return result;
  };
  await measurement.stowage({ root, values, timed });
  answer({ ms });
}
