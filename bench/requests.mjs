import { CountStorage, FlowDataStore, MemoryStorage, StorageDecorator } from '../dist/index.js';
import { artifactsOf, makeValues, NAMES } from './measurements/task-set.mjs';
import { dicts, named, noise } from './values.mjs';

const TASKS = 100;
const LARGE_BYTES = 8 * 1024 * 1024;

/**
 * How many requests work takes on an object storage: counted at the storage contract, over a storage in memory that says of
 * itself what S3 says: reads cost a request each. Exact, and the same on every machine; nothing is timed.
 *
 * What Metaflow takes was published for its S3 backend; it is not counted here.
 */
export async function countRequests() {
  const counter = new CountStorage(new ObjectStorage(new MemoryStorage()));
  const counted = async (work) => {
    counter.reset();
    const result = await work();
    return { ...requestsOf(counter.snapshot()), result };
  };
  const open = () => FlowDataStore.open({ flowName: 'Bench', storage: counter });
  const saveTask = async (flow, taskId, artifacts, stepName = 'map') => {
    const task = await flow.createTaskDataStore({ runId: '1', stepName, taskId, attempt: 0 });
    await task.saveArtifacts(artifacts);
    await task.done();
  };
  const small = named(dicts(20));
  const medium = named(Array.from({ length: 20 }, (_, i) => noise(20 * 1024, i)));
  const large = noise(LARGE_BYTES);

  const flow = await open();
  const first = await counted(() => saveTask(flow, '0', small));
  const write = await counted(() => saveTask(flow, '1', small));
  for (let task = 2; task < TASKS; task += 1) await saveTask(flow, String(task), small);

  const reader = await open();
  const read = (taskId) => async () => {
    const task = await reader.getTaskDataStore(`1/map/${taskId}`);
    return task.loadArtifacts();
  };
  const firstRead = await counted(read('0'));
  const secondRead = await counted(read('1'));
  const list = await counted(() => reader.getTaskDataStores({ runId: '1' }));
  if (list.result.length !== TASKS) throw new Error(`${list.result.length} tasks were listed, not ${TASKS}`);

  const fresh = await counted(() => saveTask(flow, 'fresh', medium, 'save'));
  const again = await counted(() => saveTask(flow, 'again', medium, 'save'));
  const other = await open();
  await saveTask(other, 'warm', small, 'warm');
  const elsewhere = await counted(() => saveTask(other, 'elsewhere', medium, 'save'));
  const largeFresh = await counted(() => saveTask(flow, 'large', { large }, 'save'));
  const largeAgain = await counted(() => saveTask(flow, 'large-again', { large }, 'save'));
  const third = await open();
  await saveTask(third, 'warm-too', small, 'warm');
  const largeElsewhere = await counted(() => saveTask(third, 'large-elsewhere', { large }, 'save'));

  const contents = Array.from({ length: 20 }, (_, i) => noise(20 * 1024, 100 + i));
  const saveBlobs = (from) => counted(() => from.caStore.saveBlobs(contents));
  const blobsFresh = await saveBlobs(flow);
  const blobsAgain = await saveBlobs(flow);
  const blobsElsewhere = await saveBlobs(other);
  const loadBlobs = (list) => async () => {
    let bytes = 0;
    for await (const { blob } of reader.caStore.loadBlobs(list)) bytes += blob.length;
    return bytes;
  };
  const blobsLoad = await counted(loadBlobs(blobsFresh.result));
  const blobsByKey = await counted(loadBlobs(blobsFresh.result.map(({ key }) => key)));

  const joined = await countTaskSet(open, saveTask, counted);

  const row = (work, { requests, by }, more = {}) => ({ work, requests, by, ...more });
  return [
    row('write a task with 20 small artifacts, attempt number given', write, { target: 3, metaflow: 45 }),
    row(
      "... the first of a new run in a new store: stowage.json, a look whether one was lost, created.json and the run's time come on top",
      first,
    ),
    row('read that task, all artifacts', secondRead, { target: 3, metaflow: 24 }),
    row('... the first time in a process: stowage.json comes on top', firstRead),
    row(`open all ${TASKS} tasks of a run`, list, { metaflow: 18 * TASKS }),
    row('open 1,000 tasks x 5 artifacts as a set', joined.open),
    row(
      '... and prefetch all five: two inline, two of its own in each task, one shared by all',
      joined.prefetch,
    ),
    row('... then load all 5,000 values', joined.load),
    row('save 20 new artifacts of 20 KiB, as one task', fresh),
    row('... again, equal ones that this process wrote', again),
    row('... again, equal ones that another process wrote', elsewhere),
    row('save 20 new contents of 20 KiB by one saveBlobs, side by side', blobsFresh, { target: 44 }),
    row('... again, equal ones that this process wrote', blobsAgain),
    row('... again, equal ones that another process wrote', blobsElsewhere),
    row('load them by what saving returned, side by side', blobsLoad),
    row('... by their keys alone', blobsByKey),
    row('save one new artifact of 8 MiB, as one task', largeFresh),
    row('... again, an equal one that this process wrote', largeAgain),
    row('... again, an equal one that another process wrote', largeElsewhere),
  ];
}

/** The work of the rows `set` and `set-load`. Loading is counted alone: everything was prefetched. */
async function countTaskSet(open, saveTask, counted) {
  const values = makeValues();
  const writer = await open();
  for (const task of values.summaries.keys())
    await saveTask(writer, String(task), artifactsOf(values, task), 'join');
  const reader = await open();
  const selection = { runId: '1', steps: ['join'] };
  await reader.getTaskDataStore('1/join/0');
  const opened = await counted(() => reader.getTaskDataStoreSet(selection));
  const prefetch = await counted(() => reader.getTaskDataStoreSet({ ...selection, prefetch: NAMES }));
  const load = await counted(async () => {
    for (const task of prefetch.result) await task.loadArtifacts(NAMES);
  });
  return { open: opened, prefetch, load };
}

/** A storage in memory that says of itself what S3 says. */
export class ObjectStorage extends StorageDecorator {
  get capabilities() {
    return { ...super.capabilities, localReads: false, sharedByProcesses: true };
  }
}

/** `persist` is no request: where visible means durable, as on an object storage, it does nothing. */
export function requestsOf({ requests, ...operations }) {
  const by = {};
  for (const [operation, { calls, pages }] of Object.entries(operations)) {
    const count = operation === 'list' ? Math.max(calls, pages) : calls;
    if (count > 0 && operation !== 'persist') by[operation] = count;
  }
  return { requests: requests - operations.persist.calls, by };
}
