import { createInterface } from 'node:readline';
import { CALLERS, inputOf, judge, STORED } from './work.mjs';

/**
 * The part of a side that is the same for all of them in JavaScript. `call(input)` is the cached function. It answers
 * {"hits"} with the microseconds of each, {"atOnce"} and {"misses"} with milliseconds for all.
 */
export async function answerFor(call) {
  for (let n = 0; n < STORED; n += 1) await call(inputOf(n));
  let next = STORED;
  const questions = {
    async hits(count) {
      const us = [];
      for (let i = 0; i < count; i += 1) {
        const input = inputOf(i % STORED);
        const beganMs = performance.now();
        const { n } = await call(input);
        us.push((performance.now() - beganMs) * 1000);
        if (n !== input.n) throw new Error(`the result of ${input.n} is that of ${n}`);
      }
      return { us };
    },
    async atOnce(count) {
      let begun = 0;
      const caller = async () => {
        while (begun < count) await call(inputOf(begun++ % STORED));
      };
      const beganMs = performance.now();
      await Promise.all(Array.from({ length: CALLERS }, caller));
      return { ms: performance.now() - beganMs };
    },
    async misses(count) {
      const inputs = Array.from({ length: count }, () => inputOf(next++));
      const bareMs = performance.now();
      for (const input of inputs) await judge(input);
      const beganMs = performance.now();
      for (const input of inputs) await call(input);
      return { ms: performance.now() - beganMs - (beganMs - bareMs) };
    },
  };
  const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  answer({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const [[question, count]] = Object.entries(JSON.parse(line));
    answer(await questions[question](count));
  }
}
