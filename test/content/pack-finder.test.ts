import { setImmediate as nextTurn } from 'node:timers/promises';
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
  let soughtCopies = 0;
  storage.before = async (operation, name) => {
    if (operation === 'list' && name.startsWith('manifests/')) soughtCopies += 1;
    if (operation !== 'list' || !name.startsWith('packs/')) return;
    looks += 1;
    if (looks > 1) return;
    // After it looked for a copy each save comes to its first chunk, which lies in these packs.
    while (soughtCopies < 2) await nextTurn();
    for (let turns = 0; turns < 100; turns++) await nextTurn();
    abort.abort();
  };
  const task = await flow.createTaskDataStore({ runId: '1', stepName: 's', taskId: '1' });
  const aborted = codeOf(task.saveArtifacts({ a: longerBy(1) }, { signal: abort.signal }));
  const kept = task.saveArtifacts({ b: longerBy(2) });
  expect(await aborted).toBe('ABORTED');
  await kept;
  expect(looks).toBe(2);
});
