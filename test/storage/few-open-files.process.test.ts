import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';

const INDEX = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));

describe.skipIf(process.platform === 'win32')('a process that may have few files open', () => {
  it.each([
    [96, 300, '{ v: index }'],
    [128, 1_500, '{ v: index }'],
    [128, 150, '{ v: Float64Array.from({ length: 20_000 }, Math.random) }'],
  ])('of %d, runs %d tasks at once to their end', async (limit, count, values) => {
    const folder = join(scratchFolder(), 'store');
    const script = `
      import { FlowDataStore } from ${INDEX};
      const flow = await FlowDataStore.open({ flowName: 'Test', storage: ${JSON.stringify(folder)} });
      const all = Array.from({ length: ${count} }, (_, index) =>
        flow.task({ runId: 'r1', stepName: 'fit', taskId: String(index) }, (task) => task.saveArtifacts(${values})));
      const failed = (await Promise.allSettled(all)).filter(({ status }) => status === 'rejected');
      await flow.close();
      console.log(failed.length, failed[0]?.reason ?? '');`;
    const command = `ulimit -n ${limit} && exec "$0" --input-type=module -e "$1"`;
    const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], {
      encoding: 'utf8',
    });
    expect([stdout.trim(), stderr]).toEqual(['0', '']);
    const flow = await openFlow({ storage: folder });
    expect(await flow.getTaskDataStores({ runId: 'r1', require: 'all' })).toHaveLength(count);
  });
});
