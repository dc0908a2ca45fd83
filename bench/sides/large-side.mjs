// One side of a comparison of large content: answers each line {"root"} with {"ms", "overBytes"}, {"prepare"} with {}.
import { createInterface } from 'node:readline';
import { LARGE, readValue } from '../measurements/large-content.mjs';

const measurement = LARGE.find(({ id }) => id === process.argv[2]);
const value = readValue(measurement);
const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { root, prepare } = JSON.parse(line);
  if (prepare) {
    await measurement.prepare?.({ root: prepare, value });
    answer({});
    continue;
  }
  const before = process.memoryUsage().rss;
  let ms;
  const timed = async (work) => {
    const start = performance.now();
    const result = await work();
    ms = performance.now() - start;
    return result;
  };
  await measurement.stowage({ root, value, timed });
  answer({ ms, overBytes: process.resourceUsage().maxRSS * 1024 - before });
}
