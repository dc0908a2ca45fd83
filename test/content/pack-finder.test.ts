import { expect, test } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf } from './contents.ts';
import { codeOf, ObservedStorage } from './storages.ts';

test('a save that is aborted while it looks at packs ends no other one that waits for the same look', async () => {
  const storage = new ObservedStorage(new MemoryStorage(), { localReads: false });
  await using flow = await FlowDataStore.open({ flowName: 'F', storage });
  const content = contentOf(2_000_000, 7);
  const longerBy = (bytes: number) => Buffer.concat([content, contentOf(300_000, bytes)]);
  await flow.task({ runId: '1', stepName: 's', taskId: '0' }, (task) => task.saveArtifacts({ content }));

  const abort = new AbortController();
  let looks = 0;
  storage.before = async (operation, name) => {
    if (operation !== 'list' || !name.startsWith('packs/')) return;
    looks += 1;
    if (looks > 1) return;
    await new Promise((resolve) => setTimeout(resolve, 100)); // the other one waits by then
    abort.abort();
  };
  const task = await flow.createTaskDataStore({ runId: '1', stepName: 's', taskId: '1' });
  const aborted = codeOf(task.saveArtifacts({ a: longerBy(1) }, { signal: abort.signal }));
  const kept = task.saveArtifacts({ b: longerBy(2) });
  expect(await aborted).toBe('ABORTED');
  await kept;
  expect(looks).toBe(2);
});
