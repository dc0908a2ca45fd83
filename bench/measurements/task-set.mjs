import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import { FlowDataStore } from '../../dist/index.js';
import { dicts, fractions, noise } from '../values.mjs';

const TASKS = 1000;
const AT_ONCE = 16;
const IDS = 5 * 1024;
const PREDICTIONS_BYTES = 50 * 1024;
const VOCABULARY_BYTES = 100 * 1024;
const WARMUPS = 2;
export const NAMES = ['summary', 'history', 'ids', 'predictions', 'vocabulary'];

/** A run to be joined: its store is made once, because making it takes many times as long as reading it. */
const joinedRun = { store: 'joined-run', makeValues, makeStore: saveRun, warmups: WARMUPS };

/** What a join of a wide fan-out does first: opens all its inputs, and fetches what it will use of each. */
export const openTaskSet = {
  ...joinedRun,
  id: 'set',
  work: 'open 1,000 tasks x 5 artifacts and prefetch them all (getTaskDataStoreSet)',
  async stowage({ root, values, timed }) {
    const set = await timed(() => openSet(root));
    strictEqual(set.size, TASKS);
    ok(set.prefetchedBytes >= TASKS * (IDS * Int32Array.BYTES_PER_ELEMENT + PREDICTIONS_BYTES));
    deepStrictEqual(await set.get('1/fit/7')?.loadArtifacts(NAMES), artifactsOf(values, 7));
  },
};

/** The same, and then uses it. */
export const loadTaskSet = {
  ...joinedRun,
  id: 'set-load',
  work: 'the same, and load all 5,000 values, task by task',
  async stowage({ root, values, timed }) {
    const loaded = await timed(async () => {
      const tasks = [];
      for (const task of await openSet(root))
        tasks.push({ taskId: task.taskId, artifacts: await task.loadArtifacts(NAMES) });
      return tasks;
    });
    strictEqual(loaded.length, TASKS);
    for (const { taskId, artifacts } of loaded) verify(artifacts, artifactsOf(values, Number(taskId)));
  },
};

async function openSet(root) {
  const flow = await FlowDataStore.open({ flowName: 'Bench', storage: root });
  return flow.getTaskDataStoreSet({ runId: '1', prefetch: NAMES });
}

/** What all artifacts are made of: what JSON holds, and bytes as base64, so that Python gets the very same. */
export function makeValues() {
  return {
    summaries: dicts(TASKS, 1),
    histories: Array.from({ length: TASKS }, (_, task) => fractions(450, 2000 + task)),
    vocabulary: JSON.stringify(dicts(VOCABULARY_BYTES / 200, 3)).slice(0, VOCABULARY_BYTES),
    noise: Buffer.from(noise(PREDICTIONS_BYTES + 4 * TASKS)).toString('base64'),
  };
}

/**
 * Of one task: a dict of 205 bytes, a list of about 4 KB, an array of 20 KiB, 50 KiB of bytes that no other task has, and a
 * text of 100 KiB that all tasks have. The noise of each task begins four bytes further on.
 */
export function artifactsOf({ summaries, histories, vocabulary, noise }, task) {
  const bytes = Buffer.from(noise, 'base64').subarray(4 * task);
  return {
    summary: summaries[task],
    history: histories[task],
    ids: new Int32Array(Uint8Array.from(bytes.subarray(0, 4 * IDS)).buffer),
    predictions: Uint8Array.from(bytes.subarray(0, PREDICTIONS_BYTES)),
    vocabulary,
  };
}

async function saveRun({ root, values }) {
  const flow = await FlowDataStore.open({ flowName: 'Bench', storage: root });
  const waiting = values.summaries.keys();
  const work = async () => {
    for (const index of waiting) {
      const spec = { runId: '1', stepName: 'fit', taskId: String(index), attempt: 0 };
      const task = await flow.createTaskDataStore(spec);
      await task.saveArtifacts(artifactsOf(values, index));
      await task.done();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await flow.close();
}

/** As `deepStrictEqual`, which takes its time for long arrays. */
function verify(loaded, expected) {
  deepStrictEqual(Object.keys(loaded), NAMES);
  for (const name of ['ids', 'predictions']) {
    strictEqual(loaded[name].constructor, expected[name].constructor);
    ok(bytesOf(loaded[name]).equals(bytesOf(expected[name])), `${name} came back as saved`);
  }
  for (const name of ['summary', 'history', 'vocabulary']) deepStrictEqual(loaded[name], expected[name]);
}

function bytesOf({ buffer, byteOffset, byteLength }) {
  return Buffer.from(buffer, byteOffset, byteLength);
}
