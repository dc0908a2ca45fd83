import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';

const INDEX = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));

describe.skipIf(process.platform === 'win32')('a process that may have few files open', () => {
  it.each([
    [96, 300, '{ v: index }', 'folder'],
    [128, 1_500, '{ v: index }', 'folder'],
    [128, 1_500, '{ v: index }', 'await openStorage(folder, { local: { fsync: false } })'],
    [128, 150, '{ v: Float64Array.from({ length: 20_000 }, Math.random) }', 'folder'],
  ])('of %d, runs %d tasks at once to their end: %s in %s', async (limit, count, values, storage) => {
    const folder = join(scratchFolder(), 'store');
    const script = `
      import { FlowDataStore, openStorage } from ${INDEX};
      const folder = ${JSON.stringify(folder)};
      const flow = await FlowDataStore.open({ flowName: 'Test', storage: ${storage} });
      const all = Array.from({ length: ${count} }, (_, index) =>
        flow.task({ runId: 'r1', stepName: 'fit', taskId: String(index) }, (task) => task.saveArtifacts(${values})));
      const failed = (await Promise.allSettled(all)).filter(({ status }) => status === 'rejected');
      await flow.close();
      console.log(failed.length, failed[0]?.reason ?? '');`;
    expect(run(limit, script)).toEqual(['0', '']);
    const flow = await openFlow({ storage: folder });
    expect(await flow.getTaskDataStores({ runId: 'r1', require: 'all' })).toHaveLength(count);
  });

  it.each(['folder', 'await openStorage(folder)'])('waits until others have closed theirs: %s', (storage) => {
    const script = `
      import { closeSync, openSync } from 'node:fs';
      import { FlowDataStore, openStorage } from ${INDEX};
      const folder = ${JSON.stringify(join(scratchFolder(), 'store'))};
      const flow = await FlowDataStore.open({ flowName: 'Test', storage: ${storage} });
      const save = (taskId) => flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ taskId }));
      await save('first');
      const held = [];
      try {
        for (;;) held.push(openSync('/dev/null'));
      } catch (error) {
        console.log(error.code);
      }
      setTimeout(() => held.forEach((file) => closeSync(file)), 300);
      await save('second');
      await flow.close();`;
    expect(run(96, script)).toEqual(['EMFILE', '']);
  });
});

/** What a process prints that may have so many files open. */
function run(limit: number, script: string): [stdout: string, stderr: string] {
  const command = `ulimit -n ${limit} && exec "$0" --input-type=module -e "$1"`;
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8' });
  return [stdout.trim(), stderr];
}
