import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';

const PACKAGE = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;

/** Saves and loads what every zstd compresses, long and short, at levels that differ in who does it. */
const SOURCE = `
  import { parentPort } from 'node:worker_threads';
  import { FlowDataStore } from ${JSON.stringify(PACKAGE)};
  const flow = await FlowDataStore.open({ flowName: 'Threads', storage: 'memory:' });
  const text = 'a line that compresses well enough, '.repeat(20_000);
  for (const level of [1, 3, 9, 12]) {
    await flow.task({ runId: 'r', stepName: 's', taskId: String(level) }, (task) =>
      task.saveArtifacts({ text: text + level, short: { level } }, { compression: { codec: 'zstd', level } }));
    const done = await flow.getTaskDataStore('r/s/' + level);
    if (await done.get('text') !== text + level) throw new Error('another text');
  }
  await flow.close();
  parentPort.postMessage('same');
`;

it('worker threads compress and read side by side, and end', async () => {
  const url = new URL(`data:text/javascript,${encodeURIComponent(SOURCE)}`);
  const outcomes = Array.from({ length: 3 }, async () => {
    const worker = new Worker(url);
    const ended = once(worker, 'exit');
    const [message] = await once(worker, 'message');
    const [exitCode] = await ended;
    return [message, exitCode];
  });
  expect(await Promise.all(outcomes)).toEqual(Array(3).fill(['same', 0]));
});
