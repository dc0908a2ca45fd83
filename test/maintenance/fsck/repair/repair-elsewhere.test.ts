import { describe, expect, it } from 'vitest';
import { copyStore } from '../../../../src/maintenance/copy-store.ts';
import { checkStore } from '../../../../src/maintenance/fsck/check-store.ts';
import { StorageDecorator } from '../../../../src/storage/decorator.ts';
import { MemoryStorage } from '../../../../src/storage/memory.ts';
import { bodyOf, namesOf, withFlippedBit } from '../../../content/storages.ts';
import { expectSame, noise, openFlow } from '../../../flow/fixtures.ts';
import { stepsOf } from './damaged-stores.ts';

/** Stays open when the store is closed that opened it. */
class KeptOpen extends StorageDecorator {
  override async close(): Promise<void> {}
}

const values = { own: noise(20_000, 5), small: noise(90_000), large: noise(700_000, 3), inline: { a: 1 } };

describe.each([true, false])('content at another place, whose reads are local: %s', (localReads) => {
  it('is mended there, whatever of it is damaged', async () => {
    const name = `mended-${localReads}`;
    const [store, raw, copy] = [
      new MemoryStorage(),
      new MemoryStorage(name, { localReads }),
      new MemoryStorage('', { localReads: false }),
    ];
    const openPlace = async () => new KeptOpen(raw);
    const flow = await openFlow({ storage: store, rawDataPath: `memory:${name}`, openPlace });
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts(values));
    await copyStore({ from: store, to: copy, openPlace });
    const there = (await namesOf(raw)).filter((name) => !name.endsWith('owner.json'));
    expect(there.map((name) => name.split('/')[2]).sort()).toEqual(
      localReads ? ['data', 'data', 'manifests', 'packs'] : ['data', 'manifests', 'packs', 'values'],
    );
    for (const object of there) {
      const body = await bodyOf(raw, object);
      await raw.delete([object]);
      await raw.create(object, withFlippedBit(body, body.length * 4));
    }

    const steps = await stepsOf({ store, from: [copy], openPlace });

    expect(steps.filter(({ outcome }) => outcome !== 'mended')).toEqual([]);
    const check = checkStore({ store, openPlace });
    for await (const { severity, message } of check) expect(severity, message).toBe('notice');
    const task = await (await openFlow({ storage: store, openPlace })).getTaskDataStore('r1/fit/0');
    expectSame(await task.loadArtifacts(), values);
    expect(task.info('large').place).toBeDefined();
    expect((await namesOf(store)).filter((name) => /^(?:data|packs|manifests)\//.test(name))).toEqual([]);
  });
});
