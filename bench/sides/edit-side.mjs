// Saves files as artifacts of tasks of one step: answers each line {"file"} with {} once the task is done.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FlowDataStore, openStorage } from '../../dist/index.js';

const [root, elementBytes] = process.argv.slice(2);
const flow = await FlowDataStore.open({
  flowName: 'Bench',
  storage: await openStorage(root, { fsync: false }),
});
const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const bytes = readFileSync(JSON.parse(line).file);
  const whole = bytes.length - (bytes.length % 4);
  const value =
    Number(elementBytes) === 4 ? new Float32Array(bytes.buffer, bytes.byteOffset, whole / 4) : bytes;
  const task = await flow.createTaskDataStore({ runId: '1', stepName: 'fit', taskId: `${Date.now()}` });
  await task.saveArtifacts({ value });
  await task.done();
  answer({});
}
await flow.close();
