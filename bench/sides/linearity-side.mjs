// Work of a given size: answers each line {"root", "kind", "size"} with the milliseconds and the processor time of its steps.
import { createInterface } from 'node:readline';
import { FlowDataStore } from '../../dist/index.js';
import { dicts, muchNoise, named } from '../values.mjs';

const AT_ONCE = 16;
const PIECE_BYTES = 4 * 1024 * 1024;
/** All pieces of a stream differ, so that nothing is found twice. */
const PIECE = muchNoise(PIECE_BYTES, 9);

const open = (root) => FlowDataStore.open({ flowName: 'Bench', storage: root });

/** Each kind: its steps, which are timed one after the other on the same store. */
const KINDS = {
  content: {
    async save({ root, size }) {
      const flow = await open(root);
      const task = await flow.createTaskDataStore({ runId: '1', stepName: 'fit', taskId: '0', attempt: 0 });
      await task.saveArtifactStream('value', pieces(size));
      await task.done();
      await flow.close();
    },
    async load({ root, size }) {
      const task = await (await open(root)).getTaskDataStore('1/fit/0');
      let bytes = 0;
      for await (const piece of task.streamArtifact('value')) bytes += piece.length;
      ensure(bytes === size, `${bytes} bytes were loaded, not ${size}`);
    },
  },
  artifacts: {
    prepare: (size) => ({ values: named(dicts(size)) }),
    async save({ root, values }) {
      const flow = await open(root);
      const task = await flow.createTaskDataStore({ runId: '1', stepName: 'fit', taskId: '0', attempt: 0 });
      await task.saveArtifacts(values);
      await task.done();
      await flow.close();
    },
    async load({ root, size }) {
      const task = await (await open(root)).getTaskDataStore('1/fit/0');
      const count = Object.keys(await task.loadArtifacts()).length;
      ensure(count === size, `${count} artifacts were loaded, not ${size}`);
    },
  },
  tasks: {
    prepare: () => ({ values: named(dicts(10)) }),
    async save({ root, size, values }) {
      const flow = await open(root);
      const waiting = Array(size).keys();
      const work = async () => {
        for (const index of waiting) {
          const spec = { runId: '1', stepName: 'map', taskId: String(index), attempt: 0 };
          const task = await flow.createTaskDataStore(spec);
          await task.saveArtifacts(values);
          await task.done();
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      await flow.close();
    },
    async list({ root, size }) {
      const { length } = await (await open(root)).getTaskDataStores({ runId: '1' });
      ensure(length === size, `${length} tasks were listed, not ${size}`);
    },
  },
};

async function* pieces(size) {
  for (let at = 0, count = 0; at < size; at += PIECE_BYTES, count += 1) {
    const piece = PIECE.slice(0, Math.min(PIECE_BYTES, size - at));
    // Another number in each 4 KiB: no chunk of one piece is one of another.
    const words = new Uint32Array(piece.buffer, 0, piece.length >> 2);
    for (let i = 0; i < words.length; i += 1024) words[i] = count;
    yield piece;
  }
}

function ensure(isTrue, message) {
  if (!isTrue) throw new Error(message);
}

const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { root, kind, size } = JSON.parse(line);
  const { prepare = () => ({}), ...steps } = KINDS[kind];
  const given = { root, size, ...prepare(size) };
  const took = {};
  for (const [step, work] of Object.entries(steps)) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    await work(given);
    const { user, system } = process.cpuUsage(cpu);
    took[step] = { ms: performance.now() - start, cpuMs: (user + system) / 1000 };
  }
  answer(took);
}
