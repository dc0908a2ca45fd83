import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { openStorage } from '../../src/storage/open.ts';
import { afterThisTest } from '../cleanups.ts';
import { noise, scratchFolder } from './fixtures.ts';

const ARTIFACTS = {
  small: { a: 1 },
  medium: noise(20_000, 1),
  large: noise(300_000, 2),
  huge: noise(3_000_000, 3),
};

async function openFlow(file: string, flowName = 'Train'): Promise<FlowDataStore> {
  const flow = await FlowDataStore.open({ flowName, storage: `sqlite:${file}` });
  afterThisTest(() => flow.close());
  return flow;
}

describe('a flow in a file of SQLite', () => {
  it('keeps records and small content in the file, and what is large beside it', async () => {
    const file = join(scratchFolder(), 'runs.db');
    const flow = await openFlow(file);
    expect(existsSync(file)).toBe(false);
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts(ARTIFACTS);
      await task.saveLogs('task', { stdout: 'done\n' });
    });
    const again = await openFlow(file);
    expect(await (await again.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual(ARTIFACTS);
    expect(readdirSync(`${file}.content`)).toContain('packs');
    expect(readdirSync(`${file}.content`)).not.toContain('flows');
    expect((await again.runs()).map(({ run }) => run.runId)).toEqual(['r1']);
  });

  it('stores equal content once, and caches results', async () => {
    const file = join(scratchFolder(), 'runs.db');
    const flow = await openFlow(file);
    let runs = 0;
    const double = flow.cachedTask({
      name: 'double',
      version: '1',
      run: async (input: { n: number }) => {
        runs += 1;
        return { twice: input.n * 2 };
      },
    });
    for (let i = 0; i < 3; i += 1) expect(await double({ n: 2 })).toEqual({ twice: 4 });
    expect(runs).toBe(1);
    for (const each of [flow, await openFlow(file, 'Other')]) {
      await each.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) =>
        task.saveArtifacts({ noise: noise(400_000, 5) }),
      );
    }
    const packs = [];
    for await (const page of flow.storage.list({ prefix: 'packs/' })) packs.push(...page.objects);
    expect(packs).toHaveLength(1);
  });

  it('is collected, and copied to a folder and back', async () => {
    const folder = scratchFolder();
    const file = join(folder, 'runs.db');
    const flow = await openFlow(file);
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts(ARTIFACTS));
    const [unneeded] = await flow.caStore.saveBlobs([noise(500_000, 7)]);
    await flow.caStore.release(unneeded?.session ?? '');
    const content = new ContentAddressedStore(await openStorage(`sqlite:${file}`));
    afterThisTest(() => content.close());
    expect(await collectGarbage(content)).toMatchObject({
      outcome: 'collected',
      deleted: { copies: 1, packs: 1 },
    });
    expect((await copyStore({ from: `sqlite:${file}`, to: join(folder, 'copy') })).problems).toEqual([]);
    expect(
      (await copyStore({ from: join(folder, 'copy'), to: `sqlite:${join(folder, 'back.db')}` })).problems,
    ).toEqual([]);
    const back = await openFlow(join(folder, 'back.db'));
    expect(await (await back.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual(ARTIFACTS);
  });
});
