import { ok } from 'node:assert';
import { readFileSync } from 'node:fs';
import { FlowDataStore } from '../../dist/index.js';
import { valueFile } from '../value-files.mjs';

const TASKS = 20;

const asBytes = (bytes) => bytes;
const asFloats = ({ buffer, byteOffset, length }) => new Float32Array(buffer, byteOffset, length / 4);
const asText = (bytes) => bytes.toString('utf8');

/** Saving one large artifact as one task, or loading it; `must` and `aim` are times as fast as Metaflow in a new process. */
function saveAndLoad(name, { file, what, form, save, load }) {
  const values = { file: () => valueFile(file), form };
  return [
    {
      ...values,
      id: name,
      work: `save ${what}`,
      ...save,
      stowage: ({ root, value, timed }) => timed(() => saveTask(root, '0', value)),
    },
    {
      ...values,
      id: `load-${name}`,
      work: `load ${what}, verified`,
      ...load,
      store: `large-${file}`,
      makeStore: ({ root, value }) => saveTask(root, '0', value),
      async stowage({ root, value, timed }) {
        const loaded = await timed(async () => {
          const flow = await FlowDataStore.open({ flowName: 'Bench', storage: root });
          return (await flow.getTaskDataStore('1/fit/0')).get('value');
        });
        ok(isEqual(loaded, value), 'what was loaded is what was saved');
      },
    },
  ];
}

/** Equal content from many tasks: the first writes it, all others find it. */
const repeated = {
  id: 'repeat',
  work: `save the same 64 MiB from ${TASKS} tasks`,
  file: () => valueFile('noise-64'),
  form: asBytes,
  must: 4,
  floorTimes: TASKS,
  async stowage({ root, value, timed }) {
    await timed(async () => {
      const flow = await FlowDataStore.open({ flowName: 'Bench', storage: root });
      for (let task = 0; task < TASKS; task += 1) await saveTaskOf(flow, String(task), value);
      await flow.close();
    });
  },
};

/** The rows of large content. The same `id` in sides/metaflow_side.py does the same work on the same file. */
export const LARGE = [
  ...saveAndLoad('noise', {
    file: 'noise-256',
    what: '256 MiB that nothing shrinks',
    form: asBytes,
    save: { must: 10, aim: 15, mustFloor: 1.3, mustMemoryMib: 64 },
    load: { must: 2, aim: 3 },
  }),
  ...saveAndLoad('floats', {
    file: 'floats-256',
    what: '256 MiB of float32',
    form: asFloats,
    save: { must: 10, aim: 15, mustFloor: 1.3, mustMemoryMib: 64 },
    load: { must: 2, aim: 3 },
  }),
  ...saveAndLoad('lines', {
    file: 'lines',
    what: '100 MB of JSON lines',
    form: asText,
    save: { must: 2, aim: 3, mustSize: 0.95 },
    load: {},
  }),
  repeated,
];

async function saveTask(root, taskId, value) {
  const flow = await FlowDataStore.open({ flowName: 'Bench', storage: root });
  await saveTaskOf(flow, taskId, value);
  await flow.close();
}

async function saveTaskOf(flow, taskId, value) {
  const task = await flow.createTaskDataStore({ runId: '1', stepName: 'fit', taskId, attempt: 0 });
  await task.saveArtifacts({ value });
  await task.done();
}

function isEqual(loaded, value) {
  if (typeof value === 'string') return loaded === value;
  const bytes = (view) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return (
    loaded.constructor.name === value.constructor.name.replace('Buffer', 'Uint8Array') &&
    bytes(loaded).equals(bytes(value))
  );
}

export function readValue({ file, form }) {
  return form(readFileSync(file()));
}
