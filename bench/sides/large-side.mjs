// One side of a comparison of large content: answers each line {"root"} with {"ms", "overBytes", "by"}, {"store"} with {}.
import { createInterface } from 'node:readline';
import { LARGE, readValue } from '../measurements/large-content.mjs';
import { watchPeak } from '../peak-memory.mjs';

const measurement = LARGE.find(({ id }) => id === process.argv[2]);
const value = readValue(measurement);
const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { root, store } = JSON.parse(line);
  if (store) {
    await measurement.makeStore({ root: store, value });
    answer({});
    continue;
  }
  let figures;
  const timed = async (work) => {
    const peak = watchPeak();
    const start = performance.now();
    const result = await work();
    figures = { ms: performance.now() - start, ...peak() };
    return result;
  };
  await measurement.stowage({ root, value, timed });
  // What is loaded is a value of its own, which belongs to nothing that is beyond it.
  answer({ ...figures, overBytes: figures.overBytes - (measurement.makeStore ? bytesOf(value) : 0) });
}

/** Those that it takes in memory: texts of these measurements have one for each character. */
function bytesOf(value) {
  return value.byteLength ?? value.length;
}
