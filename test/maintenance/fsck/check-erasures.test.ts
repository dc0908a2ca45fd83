import { describe, expect, it } from 'vitest';
import { ERASURES_FOLDER } from '../../../src/format/erasure-records.ts';
import { eraseFromStore } from '../../../src/maintenance/erasure/erase-from-store.ts';
import { checkStore } from '../../../src/maintenance/fsck/check-store.ts';
import type { Finding } from '../../../src/maintenance/fsck/finding.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

async function erased(storage: MemoryStorage): Promise<string[]> {
  await saveTask(await openFlow({ storage }), { a: noise(300), secret: noise(20_000, 7) });
  await eraseFromStore({ store: storage, target: 'Test/r1/fit/0/secret', reason: 'asked for' });
  return objectNames(storage, ERASURES_FOLDER);
}

async function findings(storage: MemoryStorage, nowMs: number = Date.now()): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of checkStore({ store: storage, nowMs })) found.push(finding);
  return found;
}

describe('a check of the records of erasures', () => {
  it('finds those of an erasure that is complete sound, however old', async () => {
    const storage = new MemoryStorage();
    expect((await erased(storage)).length).toBeGreaterThan(1);
    expect(await findings(storage, Date.now() + 10 * DAY_MS)).toEqual([]);
  });

  it('finds every flipped bit, and names that nobody gives', async () => {
    const storage = new MemoryStorage();
    const names = await erased(storage);
    await storage.create(`${ERASURES_FOLDER}theirs`, noise(10));
    expect(await findings(storage)).toMatchObject([
      { layer: 'erasures', problem: 'foreign', object: `${ERASURES_FOLDER}theirs` },
    ]);
    await storage.delete([`${ERASURES_FOLDER}theirs`]);
    for (const name of names) {
      const { body } = (await storage.get(name)) as { body: Uint8Array };
      for (const at of [1, body.length >> 1, body.length - 3]) {
        const flipped = body.slice();
        (flipped[at] as number) ^= 4;
        await storage.overwrite(name, flipped);
        expect(await findings(storage), `${name} at ${at}`).toMatchObject([
          { layer: 'erasures', problem: 'damaged', severity: 'damaged', object: name },
        ]);
      }
      await storage.overwrite(name, body);
    }
    expect(await findings(storage)).toEqual([]);
  });

  it('finds a record under the name of another one', async () => {
    const storage = new MemoryStorage();
    const [first = '', second = ''] = await erased(storage);
    await storage.overwrite(first, ((await storage.get(second)) as { body: Uint8Array }).body);
    expect(await findings(storage)).toMatchObject([{ layer: 'erasures', object: first }]);
  });

  it('tells of an erasure that nobody goes on with after a day, and not before', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveTask(flow, { a: noise(300), secret: noise(20_000, 7) });
    const dies = new FaultStorage(storage, (operation, name) =>
      operation === 'create' && name.includes('.ERASED.') ? { kind: 'before' } : undefined,
    );
    const call = eraseFromStore({ store: dies, target: 'Test/r1/fit/0/secret', reason: 'asked for' });
    await call.catch(() => {});
    expect(await findings(storage)).toEqual([]);
    const late = await findings(storage, Date.now() + 2 * DAY_MS);
    expect(late.filter(({ layer }) => layer === 'erasures')).toMatchObject([
      { problem: 'leftover', severity: 'notice' },
    ]);
  });
});
