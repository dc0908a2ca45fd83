import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openFlow, saveTask } from './fixtures.ts';

// What does the work of these calls is loaded by the first of them, while their arguments are in the hands of the caller.
const spec = { runId: 'r1', stepName: 'join', taskId: '0' };

it('names that change once a task is asked to take them over count as they were', async () => {
  const flow = await openFlow();
  const origin = await flow.getTaskDataStore(await saveTask(flow, { x: 1, y: 2 }, { stepName: 'load' }));
  const other = await openFlow();
  await flow.task(spec, async (task) => {
    const names = ['x'];
    const passing = task.passdownPartial(origin, names);
    names[0] = 'y';
    await passing;
  });
  await other.task(spec, async (task) => {
    const names = ['x'];
    const transferring = task.transferArtifacts(origin, names);
    names[0] = 'y';
    await transferring;
  });
  for (const one of [flow, other]) expect((await one.getTaskDataStore('r1/join/0')).names()).toEqual(['x']);
});

it('patterns and attributes that change after the call count as they were', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-call-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const name of ['a.txt', 'b.txt']) await writeFile(join(folder, name), name);
  const flow = await openFlow();
  const include = ['a.txt'];
  const saving = flow.directories.fromLocal(folder, { include });
  include[0] = 'b.txt';
  const saved = await saving;
  expect([await saved.has('a.txt'), await saved.has('b.txt')]).toEqual([true, false]);
  const attributes = { stage: 'test' };
  const task = await saveTask(flow, { x: 1 }, { stepName: 'load' });
  const publishing = flow.publish('model', { task, artifact: 'x', attributes });
  attributes.stage = 'production';
  expect((await publishing).attributes).toEqual({ stage: 'test' });
});
