import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../../../src/flow-data-store.ts';
import { publishedRecordName } from '../../../../src/format/published-names.ts';
import { copyStore } from '../../../../src/maintenance/copy-store.ts';
import { MemoryStorage } from '../../../../src/storage/memory.ts';
import { bodyOf } from '../../../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../../../flow/fixtures.ts';
import { faultsOf, stepsOf } from './damaged-stores.ts';

const recordOf = (version: number): string => publishedRecordName({ name: 'm', version });
const TASK = 'r1/fit/0';

/** Three versions of a name, the second of which was withdrawn, and a copy. */
async function publishedStore(): Promise<{ store: MemoryStorage; copy: MemoryStorage; flow: FlowDataStore }> {
  const [store, copy] = [new MemoryStorage(), new MemoryStorage()];
  const flow = await openFlow({ storage: store });
  await saveTask(flow, { a: 1, b: noise(100_000) });
  for (const artifact of ['a', 'b', 'b']) await flow.publish('m', { task: TASK, artifact });
  await flow.withdrawPublished('m', 2);
  await copyStore({ from: store, to: copy });
  return { store, copy, flow };
}

/** Damages a record, or deletes it. Resolves to its bytes. */
async function lose(storage: MemoryStorage, object: string, how: 'damaged' | 'missing'): Promise<Uint8Array> {
  const bytes = await bodyOf(storage, object);
  await storage.delete([object]);
  if (how === 'damaged') await storage.create(object, bytes.subarray(1));
  return bytes;
}

const CASES = [1, 2, 3].flatMap((version) =>
  (['damaged', 'missing'] as const).map((how) => [version, how] as const),
);

describe('the record of a published version', () => {
  it.each(CASES)(
    '%d that is %s comes from a copy, in its bytes, and its number is not given again',
    async (version, how) => {
      const { store, copy, flow } = await publishedStore();
      const bytes = await lose(store, recordOf(version), how);
      const names = await objectNames(store);
      const expected = [{ outcome: 'mended', how: 'restored', layer: 'names', object: recordOf(version) }];
      expect(await stepsOf({ store, from: [copy], dryRun: true })).toMatchObject(expected);
      expect(await objectNames(store)).toEqual(names);

      expect(await stepsOf({ store, from: [copy] })).toMatchObject(expected);

      expect(await bodyOf(store, recordOf(version))).toEqual(bytes);
      expect(await faultsOf(store)).toEqual([]);
      expect((await flow.publish('m', { task: TASK, artifact: 'a' })).version).toBe(4);
      expect(await (await flow.getPublished('m', 3)).load()).toEqual(noise(100_000));
    },
  );

  it.each(CASES)('%d of a copy that is %s comes from the store that was copied', async (version, how) => {
    const { store, copy } = await publishedStore();
    const bytes = await lose(copy, recordOf(version), how);
    expect(await stepsOf({ store: copy, from: [store] })).toMatchObject([{ object: recordOf(version) }]);
    expect(await bodyOf(copy, recordOf(version))).toEqual(bytes);
    expect(await faultsOf(copy)).toEqual([]);
  });

  it('of what a copy published by itself since does not come over, nor where a flow is mended', async () => {
    const { store, copy, flow } = await publishedStore();
    const other = await openFlow({ storage: copy });
    for (const name of ['m', 'k']) await other.publish(name, { task: TASK, artifact: 'a' });
    expect(await stepsOf({ store, from: [copy] })).toEqual([]);
    await errorOf(flow.getPublished('m', 4), 'PUBLISHED_NOT_FOUND');

    await lose(store, recordOf(3), 'missing');
    expect(await stepsOf({ store, from: [copy], flowName: 'Test' })).toEqual([]);
    // The number was given again before anybody mended it.
    await flow.publish('m', { task: TASK, artifact: 'a' });
    expect(await stepsOf({ store, from: [copy] })).toEqual([]);
    expect(await (await flow.getPublished('m', 3)).load()).toBe(1);
  });
});
