import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { FlowDataStore } from '../../../dist/index.js';

// Traced calls one after the other: each that runs is noted in a file. Before call number <stops> the program says so, and waits for its end.
const [, , storage, ran, stops = 'never'] = process.argv;
const flow = await FlowDataStore.open({ flowName: 'Test', storage });
const fetched = await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
  const fetch = task.trace('fetch', async (page) => {
    appendFileSync(ran, `${page}\n`);
    return { page, bytes: new Uint8Array(page % 2 === 0 ? 100_000 : 10).fill(page) };
  });
  const pages = [];
  for (let page = 0; page < 6; page++) {
    if (String(page) === stops) {
      process.stdout.write('stopped\n');
      await once(process.stdin, 'data');
    }
    pages.push(await fetch(page));
  }
  await task.saveArtifacts({ pages });
  return pages;
});
await flow.close();
process.stdout.write(`${fetched.length}\n`);
