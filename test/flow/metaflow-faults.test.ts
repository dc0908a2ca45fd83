import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorOf, expectSame, noise, objectNames, openLocalFlow, saveTask } from './fixtures.ts';

/** What users of Metaflow's datastore met; each must be absent here. */
describe('faults of Metaflow that are absent', () => {
  const values = { small: 'x'.repeat(20_000), large: noise(600_000) };

  for (const name of ['small', 'large'] as const) {
    const target = name === 'small' ? 'data/' : 'packs/';

    it(`a tampered object loads silently (${name})`, async () => {
      const { flow, folder } = await openLocalFlow();
      const pathspec = await saveTask(flow, values);
      const [object] = await objectNames(flow.storage, target);
      const path = join(folder, object as string);
      const bytes = readFileSync(path);
      bytes[bytes.length - 5] = (bytes[bytes.length - 5] as number) ^ 1;
      writeFileSync(path, bytes);
      const task = await flow.getTaskDataStore(pathspec);
      const error = await errorOf(task.loadArtifacts([name]), 'CONTENT_DAMAGED');
      expect(error.message).toContain(`Artifact ${name} of r1/fit/0/0`);
      expect(error.details).toMatchObject({ artifact: name, flow: 'Test' });
    });

    it(`a truncated object loads silently (${name})`, async () => {
      const { flow, folder } = await openLocalFlow();
      const pathspec = await saveTask(flow, values);
      const [object] = await objectNames(flow.storage, target);
      truncateSync(join(folder, object as string), 30);
      const task = await flow.getTaskDataStore(pathspec);
      await errorOf(task.loadArtifacts([name]), 'CONTENT_DAMAGED');
    });

    it(`saving again does not mend a damaged object (${name})`, async () => {
      const { flow, folder } = await openLocalFlow();
      const pathspec = await saveTask(flow, values);
      const [object] = await objectNames(flow.storage, target);
      truncateSync(join(folder, object as string), 30);
      await saveTask(flow, values, { taskId: '1' });
      const old = await flow.getTaskDataStore(pathspec);
      expectSame(await old.loadArtifacts([name]), { [name]: values[name] });
      expect(await objectNames(flow.storage)).toContain(`${object}.damaged`);
    });
  }

  it('a missing object gives an untyped error', async () => {
    const { flow } = await openLocalFlow();
    const pathspec = await saveTask(flow, values);
    await flow.storage.delete(await objectNames(flow.storage, 'data/'));
    const task = await flow.getTaskDataStore(pathspec);
    const error = await errorOf(task.get('small'), 'CONTENT_NOT_FOUND');
    expect(error.message).toMatch(/Artifact small of r1\/fit\/0\/0.*save it again/s);
  });

  it('a pathspec with an attempt finds nothing', async () => {
    const { flow } = await openLocalFlow();
    await saveTask(flow, { x: 1 });
    await saveTask(flow, { x: 2 });
    expect(await (await flow.getTaskDataStore('r1/fit/0/0')).get('x')).toBe(1);
    expect(await (await flow.getTaskDataStore('r1/fit/0/1')).get('x')).toBe(2);
  });

  it('an attempt that does not exist reads as empty', async () => {
    const { flow } = await openLocalFlow();
    await saveTask(flow, { x: 1 });
    const error = await errorOf(flow.getTaskDataStore('r1/fit/0/7'), 'ATTEMPT_NOT_FOUND');
    expect(error.message).toContain('it has 0');
    expect(error.details).toMatchObject({ existing: [0] });
  });

  it('an attempt number beyond a limit is written but never found', async () => {
    const { flow } = await openLocalFlow();
    for (const attempt of [5, 6, 7, 1_000_000, Number.MAX_SAFE_INTEGER]) {
      await saveTask(flow, { attempt }, { taskId: `t${attempt}`, attempt });
      const task = await flow.getTaskDataStore(`r1/fit/t${attempt}`);
      expect([task.attempt, await task.get('attempt')]).toEqual([attempt, attempt]);
    }
    const spec = { runId: 'r1', stepName: 'fit', taskId: 'beyond' };
    for (const attempt of [Number.MAX_SAFE_INTEGER + 1, -1, 1.5, Number.NaN]) {
      await errorOf(flow.createTaskDataStore({ ...spec, attempt }), 'INVALID_ARGUMENT');
    }
    expect(await objectNames(flow.storage, 'flows/Test/r1/fit/beyond')).toEqual([]);
  });

  it('an unfinished task opened with allowNotDone crashes', async () => {
    const { flow } = await openLocalFlow();
    const open = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await open.saveArtifacts({ x: 1 });
    await open.saveMetadata({ progress: 0.5 });
    await open.saveLogs('task', { stdout: 'half way\n' });
    const task = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect([task.status, task.isDone, task.names(), task.error, task.closedAt]).toEqual([
      'open',
      false,
      [],
      undefined,
      undefined,
    ]);
    expect(await task.loadArtifacts()).toEqual({});
    expect(await task.loadMetadata()).toEqual({ progress: 0.5 });
    expect(await task.loadLogs('task')).toBe('half way\n');
    await errorOf(task.get('x'), 'ARTIFACT_NOT_FOUND');
    await open.done();
  });

  it('an empty task cannot be loaded', async () => {
    const { flow } = await openLocalFlow();
    const pathspec = await saveTask(flow, {});
    const task = await flow.getTaskDataStore(pathspec);
    expect([task.names(), await task.loadArtifacts(), task.isDone]).toEqual([[], {}, true]);
    expect(await flow.getTaskDataStores({ runId: 'r1' })).toHaveLength(1);
  });

  it('equal values get different digests', async () => {
    const { flow } = await openLocalFlow();
    const shared = { a: 1 };
    const value = { list: [shared, shared], text: 'é', map: new Map([['k', 1n]]), set: new Set([1, 2]) };
    const equal = { list: [{ a: 1 }, { a: 1 }], text: 'é', map: new Map([['k', 1n]]), set: new Set([1, 2]) };
    const task = await flow.getTaskDataStore(await saveTask(flow, { value, equal }));
    expect(task.info('value').key).toBe(task.info('equal').key);
  });
});
