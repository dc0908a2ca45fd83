// One side of a comparison of data frames: answers {"make", "rows", "columns"} with {"file"}, and {"root", "names", "form"} with {"ms", "sum"}.
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { FlowDataStore } from '../../dist/index.js';
import { frameColumn, frameNames } from '../frame-values.mjs';

const open = (storage) => FlowDataStore.open({ flowName: 'Bench', storage });

/** Saves columns as one plain Parquet file, which pyarrow opens where it lies. */
async function make({ make: root, rows, columns }) {
  const flow = await open(root);
  const values = Object.fromEntries(frameNames(columns).map((name, at) => [name, frameColumn(rows, at)]));
  let file;
  await flow.task({ runId: '1', stepName: 'fit', taskId: '0', attempt: 0 }, async (task) => {
    const frame = await task.frames.fromColumns(values, { plain: true, codec: 'snappy' });
    file = await frame.file.address();
    await task.saveArtifacts({ frame });
  });
  await flow.close();
  return { file: file.startsWith('file:') ? fileURLToPath(file) : file };
}

async function read({ root, names, form }) {
  const start = performance.now();
  const frame = await (await (await open(root)).getTaskDataStore('1/fit/0')).get('frame');
  const read = await frame[form]({ columns: names });
  const ms = performance.now() - start;
  const valuesOf = (name) => (form === 'arrow' ? read.getChild(name).toArray() : read[name]);
  return {
    ms,
    sum: names.reduce((sum, name) => valuesOf(name).reduce((total, value) => total + value, sum), 0),
  };
}

const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  answer(question.make ? await make(question) : await read(question));
}
