// @ts-check
/**
 * 500 answers are judged by a model that is slow: here a function of this file that stands in for one. What was judged before is
 * not judged again, in this process or in any other.
 *
 *     node docs/examples/judge.mjs [store]
 *
 * Two rounds. Before each, `plan` tells what there is to do, so that nobody starts by accident what takes an hour; then `map` does
 * it, some calls at a time. Between the rounds the two answers that could not be judged are mended, and 18 others reworded:
 * 20 calls are left to run. Started again on the same store, only the two that can never be judged are tried again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowDataStore } from 'stowage';

/**
 * @typedef {{ id: number, answer: string }} Item
 * @typedef {{ score: number, reason: string }} Verdict
 */

/** What a service answers, now and then, that has too much to do. */
class Overloaded extends Error {}

const flow = await FlowDataStore.open({ flowName: 'Judge', storage: process.argv[2] ?? './.stowage' });

const judge = flow.cachedTask({
  name: 'judge',
  version: '1', // to be changed with what the function does
  config: { model: 'stand-in', temperature: 0 },
  ignoredInputs: ['id'], // equal answers get one verdict
  retry: { attempts: 3, when: (error) => error instanceof Overloaded, delayMs: (tries) => 20 * 2 ** tries },
  run: async (/** @type {Item} */ { answer }, { attempt, log, signal }) => {
    log(`${answer.length} characters, try ${attempt}`);
    return askModel(answer, { attempt, signal });
  },
});

const items = Array.from({ length: 500 }, (_, id) => ({
  id,
  answer: `Answer ${id}: ${'because '.repeat(id % 7)}`,
}));
const [silent, cut] = [items[123], items[321]];
silent.answer = '';
cut.answer = '...';
await judgeAll('first round', items);

const reworded = items.map((item, place) => {
  const isReworded = place % 28 === 0 || item === silent || item === cut;
  return isReworded ? { ...item, answer: `Said otherwise: answer ${item.id}` } : item;
});
await judgeAll('20 answers changed', reworded);
await flow.close();

/**
 * Judges all, and prints what it came to.
 *
 * @param {string} title
 * @param {readonly Item[]} all
 */
async function judgeAll(title, all) {
  const { hits, misses, savedMs } = await judge.plan(all);
  console.log(`${title}: ${hits} hits, ${misses} misses; to run what is a hit took ${seconds(savedMs)}`);

  const beganMs = performance.now();
  const signal = AbortSignal.timeout(600_000);
  let score = 0;
  let saved = 0;
  // In the order of the items, whichever ends first. A call that fails ends none of the others.
  for await (const outcome of judge.map(all, { concurrency: 16, onProgress: printProgress, signal })) {
    if (outcome.ok) {
      score += outcome.value.score;
      if (outcome.hit) saved += outcome.durationMs ?? 0;
    } else {
      console.log(`  item ${all[outcome.index].id}: ${outcome.error}`);
    }
  }
  const took = seconds(performance.now() - beganMs);
  console.log(`  total score ${score}, in ${took}, 16 at a time; hits saved ${seconds(saved)} of calls`);
}

/** @param {{ done: number, hits: number, failed: number, total: number | undefined }} progress */
function printProgress({ done, hits, failed, total }) {
  if (done % 125 === 0) console.log(`  ${done} of ${total}: ${hits} hits, ${failed} failed`);
}

/**
 * Stands in for a model: slow, the same for the same answer, overloaded at the first try of some.
 *
 * @param {string} answer
 * @param {{ attempt: number, signal: AbortSignal }} call
 * @returns {Promise<Verdict>}
 */
async function askModel(answer, { attempt, signal }) {
  await sleep(25, undefined, { signal });
  if (!/[a-z]/i.test(answer)) throw new RangeError(`There is nothing to judge in ${JSON.stringify(answer)}`);
  if (answer.length % 50 === 0 && attempt === 0) throw new Overloaded('Try again later');
  const reasons = answer.split('because').length - 1;
  return { score: 2 * reasons + (answer.length % 3), reason: `${reasons} reasons given` };
}

/** @param {number} ms */
function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
