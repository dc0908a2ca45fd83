import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { errorOf, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { openHasty } from '../../reports/hasty-attempt.ts';
import { until } from '../../waiting.ts';
import { markClosed } from './histories.ts';

const TASK = 'r1/fit/0';
const VERSIONS = 'partial/Test/r1/fit/0/';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Collects as another process does; resolves to how many plain objects are left. */
async function collected(storage: DataStoreStorage, nowMs?: number): Promise<number> {
  await using content = new ContentAddressedStore(storage);
  await collectGarbage(content, { nowMs });
  return (await objectNames(storage, 'plain/')).length;
}

describe('a report', () => {
  it('of an open attempt stays; of one that is done the last version alone, until a mark gives it up', async () => {
    const flow = await openFlow();
    const { storage } = flow;
    await saveTask(flow, { x: 1 }, { taskId: 'other' });
    const attempt = await openHasty(flow);
    for (let epoch = 1; epoch <= 3; epoch++) {
      attempt.report('loss').clear().text(`epoch ${epoch}`);
      await until(async () => (await objectNames(storage, VERSIONS)).length === epoch);
    }
    expect(await collected(storage)).toBe(3);
    const open = await flow.getTaskDataStore(TASK, { allowNotDone: true });
    expect(Buffer.from(await open.loadReport('loss')).toString()).toContain('epoch 3');
    await attempt.done();
    expect(await collected(storage)).toBe(1);
    const done = await flow.getTaskDataStore(TASK);
    expect(Buffer.from(await done.loadReport('loss')).toString()).toContain('epoch 3');
    await markClosed(storage, '0', 'PURGED');
    expect(await collected(storage)).toBe(0);
    const purged = await flow.getTaskDataStore(TASK);
    expect((await purged.reports()).map(({ name, uri }) => [name, uri])).toEqual([['loss', undefined]]);
    await expect(purged.loadReport('loss')).rejects.toMatchObject({ code: 'CONTENT_PURGED' });
  });

  it('that a killed process left unfinished is there until its attempt is abandoned, and then says that it is gone', async () => {
    const flow = await openFlow();
    const { storage } = flow;
    const attempt = await openHasty(flow);
    attempt.report('loss').text('epoch 1');
    await until(async () => (await objectNames(storage, VERSIONS)).length === 1);
    attempt.abandon(); // no heartbeat any more, and no end
    expect(await collected(storage)).toBe(1);
    await collected(storage, Date.now() + 2 * DAY_MS); // abandons it
    expect(await collected(storage)).toBe(0);
    const left = await flow.getTaskDataStore(TASK, { allowNotDone: true });
    expect(left.status).toBe('abandoned');
    expect((await left.reports()).map(({ name, uri, isFinal }) => [name, uri, isFinal])).toEqual([
      ['loss', undefined, true],
    ]);
    await errorOf(left.loadReport('loss'), 'CONTENT_NOT_FOUND');
  });
});
