import { describe, expect, it } from 'vitest';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

describe('an aborted call', () => {
  it('fails with ABORTED and the reason, before it does anything', async () => {
    const flow = await openFlow();
    const signal = AbortSignal.abort(new Error('user left'));
    const calls = [
      () => flow.createTaskDataStore(spec, { signal }),
      () => flow.task(spec, () => {}, { signal }),
      () => flow.createRun({ signal }),
      () => flow.caStore.saveBlobs([noise(10)], { signal }),
      () => flow.saveData([{ name: 'x', data: noise(10) }], { signal }),
    ];
    for (const call of calls)
      expect(((await errorOf(call, 'ABORTED')).cause as Error).message).toBe('user left');
    expect(await objectNames(flow.storage)).toEqual([]);
  });

  it('stops reading as well', async () => {
    const flow = await openFlow();
    const pathspec = await saveTask(flow, { blob: noise(300_000) });
    const task = await flow.getTaskDataStore(pathspec);
    const signal = AbortSignal.abort();
    await errorOf(flow.getTaskDataStore(pathspec, { signal }), 'ABORTED');
    await errorOf(flow.getTaskDataStores({ runId: 'r1', signal }), 'ABORTED');
    await errorOf(flow.runs({ signal }), 'ABORTED');
    await errorOf(task.get('blob', { signal }), 'ABORTED');
    await errorOf(task.loadArtifacts(undefined, { signal }), 'ABORTED');
  });

  it('at every request of a save leaves a store that reads and writes on', async () => {
    for (let at = 0; ; at++) {
      const controller = new AbortController();
      const storage = new MemoryStorage();
      let calls = 0;
      const faulty = new FaultStorage(storage, () => {
        if (calls++ === at) controller.abort();
        return undefined;
      });
      const flow = await openFlow({ storage: faulty });
      const { signal } = controller;
      const values = { inline: 1, small: noise(20_000), large: noise(700_000) };
      const saved = flow.task(spec, (task) => task.saveArtifacts(values, { signal }), { signal });
      const outcome = await saved.then(
        () => 'done',
        (error: { code: string }) => error.code,
      );
      if (calls <= at) break;
      const again = await openFlow({ storage });
      expect(['done', 'ABORTED']).toContain(outcome);
      const visible = await again.getTaskDataStores({ runId: 'r1' }).catch(() => []);
      if (outcome === 'done') expect(visible).toHaveLength(1);
      for (const task of visible) expect(task.names()).toEqual(['inline', 'small', 'large']);
      await saveTask(again, values, { taskId: 'after' });
      const after = await again.getTaskDataStore('r1/fit/after');
      expect(Buffer.compare(await after.get('large'), values.large)).toBe(0);
    }
  });

  it('ends a save from a stream that never yields', async () => {
    const flow = await openFlow();
    const controller = new AbortController();
    const stuck = (async function* () {
      yield noise(100_000);
      await new Promise(() => {});
    })();
    const save = flow.caStore.saveBlobs([stuck], { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await errorOf(save, 'ABORTED');
  });
});
