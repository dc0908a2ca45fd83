import { dicts, muchNoise, named, noise } from '../values.mjs';

export const TASKS = 100;
const MIB = 1024 * 1024;
/** Decimal, as people and prices count. */
const HUGE_BYTES = 100_000_000;

/** The works by their ids, in the order of the page. */
export const WORKS = {
  'write, first': 'write a task with 20 small artifacts, the first in a process',
  write: '... each further one',
  'read, first': 'read that task, all artifacts, the first in a process',
  read: '... each further one',
  list: `open all ${TASKS} tasks of a run`,
  '20 new': 'save 20 new artifacts of 20 KiB, as one task',
  '20 known': '... again, equal ones that this process saved',
  '20 elsewhere': '... again, equal ones that another process saved',
  '20 load': 'open that task and load them',
  'blobs new': 'save 20 new contents of 20 KiB by one saveBlobs',
  'blobs known': '... again, equal ones that this process saved',
  'blobs elsewhere': '... again, equal ones that another process saved',
  'blobs load': 'load them by what saving returned',
  'blobs by key': '... by their keys alone',
  'large blobs': 'save 20 new contents of 1 MiB by one saveBlobs',
  'large blobs load': '... load them by what saving returned',
  'large new': 'save a new artifact of 32 MiB, as one task',
  'large known': '... again, an equal one that this process saved',
  'large elsewhere': '... again, an equal one that another process saved',
  'huge up': 'save an artifact of 100 MB, as one task',
  'huge down': 'open that task and load it',
};

/** Works of larger content, which take their time. */
export const LARGER_WORKS = {
  '256 new': 'save a new artifact of 256 MiB, as one task',
  '256 elsewhere': '... again, an equal one that another process saved',
};

/** The most requests that a work may take on a bucket; the others have no target. */
export const MUST = {
  write: 3,
  read: 3,
  '20 new': 4,
  '20 known': 4,
  '20 elsewhere': 4,
  '20 load': 4,
  '256 new': 17,
  '256 elsewhere': 9,
  'blobs new': 44,
};

/**
 * Does the work that requests are counted for, and counts it twice: at the storage contract, and on the wire. `open` opens the same
 * place anew, as another process would; `withLarger` adds {@link LARGER_WORKS}; `take` gives the requests on the wire since it was called last, by kind.
 */
export async function countWorks({ library, open, take, withLarger = false }) {
  const { CountStorage, FlowDataStore } = library;
  const works = {};
  const closing = [];
  const newProcess = async () => {
    const counter = new CountStorage(await open());
    const flow = await FlowDataStore.open({ flowName: 'Bench', storage: counter });
    closing.push(flow, counter);
    return { counter, flow };
  };
  const counted = async (id, { counter }, work) => {
    counter.reset();
    await take();
    const result = await work();
    works[id] = { calls: callsOf(counter.snapshot()), wire: await take() };
    return result;
  };
  const save = async ({ flow }, taskId, artifacts, stepName = 'map') => {
    const task = await flow.createTaskDataStore({ runId: '1', stepName, taskId, attempt: 0 });
    await task.saveArtifacts(artifacts);
    await task.done();
  };
  const load = async ({ flow }, taskId, stepName = 'map') => {
    const task = await flow.getTaskDataStore(`1/${stepName}/${taskId}`);
    return task.loadArtifacts();
  };

  const small = named(dicts(20));
  const medium = named(Array.from({ length: 20 }, (_, i) => noise(20 * 1024, i)));
  const large = { large: muchNoise(32 * MIB, 3) };
  const huge = { huge: muchNoise(HUGE_BYTES, 5) };
  const writer = await newProcess();
  await counted('write, first', writer, () => save(writer, '0', small));
  await counted('write', writer, () => save(writer, '1', small));
  for (let task = 2; task < TASKS; task += 1) await save(writer, String(task), small);

  const reader = await newProcess();
  await counted('read, first', reader, () => load(reader, '0'));
  await counted('read', reader, () => load(reader, '1'));
  const listed = await counted('list', reader, () => reader.flow.getTaskDataStores({ runId: '1' }));
  if (listed.length !== TASKS) throw new Error(`${listed.length} tasks were listed, not ${TASKS}`);

  await counted('20 new', writer, () => save(writer, 'new', medium));
  await counted('20 known', writer, () => save(writer, 'known', medium));
  const other = await newProcess();
  await save(other, 'warm', small);
  await counted('20 elsewhere', other, () => save(other, 'elsewhere', medium));
  await counted('20 load', reader, () => load(reader, 'elsewhere'));

  const contents = Array.from({ length: 20 }, (_, i) => noise(20 * 1024, 100 + i));
  const blobs = Array.from({ length: 20 }, (_, i) => noise(MIB, 200 + i));
  const saveBlobs = ({ flow }, list) => flow.caStore.saveBlobs(list);
  const loadBlobs = async ({ flow }, list) => {
    let loaded = 0;
    for await (const { blob } of flow.caStore.loadBlobs(list)) loaded += blob.length;
    return loaded;
  };
  const saved = await counted('blobs new', writer, () => saveBlobs(writer, contents));
  await counted('blobs known', writer, () => saveBlobs(writer, contents));
  await counted('blobs elsewhere', other, () => saveBlobs(other, contents));
  await counted('blobs load', reader, () => loadBlobs(reader, saved));
  const keys = saved.map(({ key }) => key);
  await counted('blobs by key', reader, () => loadBlobs(reader, keys));
  const savedLarge = await counted('large blobs', writer, () => saveBlobs(writer, blobs));
  await counted('large blobs load', reader, () => loadBlobs(reader, savedLarge));

  await counted('large new', writer, () => save(writer, 'large', large));
  await counted('large known', writer, () => save(writer, 'large-known', large));
  await counted('large elsewhere', other, () => save(other, 'large-elsewhere', large));

  // In a step of its own: the hint of a step is read and written once in a while, by the clock.
  await counted('huge up', writer, () => save(writer, '0', huge, 'huge'));
  const down = await counted('huge down', reader, () => load(reader, '0', 'huge'));
  if (Buffer.compare(down.huge, huge.huge) !== 0) throw new Error('other bytes came down than went up');

  if (withLarger) await countLarger();
  for (const opened of closing) await opened.close();
  return works;

  async function countLarger() {
    const largest = { largest: muchNoise(256 * MIB, 6) };
    // In a step of its own, too, whose hint nobody has read.
    await counted('256 new', writer, () => save(writer, '0', largest, 'largest'));
    await counted('256 elsewhere', other, () => save(other, '1', largest, 'largest'));
  }
}

/** `persist` is no request: where visible means durable it does nothing. */
function callsOf({ requests: _, persist: __, ...operations }) {
  const calls = {};
  for (const [operation, { calls: count, pages }] of Object.entries(operations)) {
    const requests = operation === 'list' ? Math.max(count, pages) : count;
    if (requests > 0) calls[operation] = requests;
  }
  return calls;
}
