import { describe, expect } from 'vitest';
import { copyStore } from '../../../../src/maintenance/copy-store.ts';
import type { RepairStep } from '../../../../src/maintenance/fsck/repair/repair-steps.ts';
import { MemoryStorage } from '../../../../src/storage/memory.ts';
import { bodyOf, namesOf } from '../../../content/storages.ts';
import { openFlow, saveTask } from '../../../flow/fixtures.ts';
import { propertyRuns, test } from '../../../property.ts';
import { arbitraryPlans, carryOut, type Plan } from '../../stores.ts';
import { arbitraryDamages, damage, faultsOf, readableIn, saidIn, stepsOf } from './damaged-stores.ts';

const numRuns = Math.ceil(propertyRuns / 8);

/** A store with attempts of every kind that ended, and content outside tasks. */
async function newStore(plans: readonly Plan[], localReads: boolean): Promise<MemoryStorage> {
  const store = new MemoryStorage('', { localReads });
  const flow = await openFlow({ storage: store });
  await carryOut(
    flow,
    plans.map((plan) => (plan.outcome === 'open' ? { ...plan, outcome: 'done' } : plan)),
  );
  await flow.createRun({ runId: 'empty', tags: ['x'] });
  await saveTask(flow, { model: Buffer.alloc(90_000, 3), auc: 0.9 }, { runId: 'published' });
  for (const artifact of ['model', 'auc', 'model'])
    await flow.publish('m', { task: 'published/fit/0', artifact });
  await flow.caStore.saveBlobs([Buffer.from('outside'), Buffer.alloc(300_000, 7)]);
  await flow.caStore.saveData([{ name: 'a.txt', data: Buffer.from('plain') }]);
  return store;
}

async function copyOf(store: MemoryStorage, localReads: boolean): Promise<MemoryStorage> {
  const copy = new MemoryStorage('', { localReads });
  await copyStore({ from: store, to: copy });
  return copy;
}

async function bodiesIn(store: MemoryStorage, prefix: string): Promise<Map<string, Uint8Array>> {
  const bodies = new Map<string, Uint8Array>();
  for (const name of await namesOf(store, prefix)) bodies.set(name, await bodyOf(store, name));
  return bodies;
}

/** What the steps say is lost, as `readableIn` names it: an attempt as a whole where its record is. */
function lostIn(steps: readonly RepairStep[]): Set<string> {
  const lost = new Set<string>();
  for (const step of steps) {
    if (step.outcome !== 'lost') continue;
    const { flow, run, task, attempt, session, kind, name } = step;
    const base =
      session === undefined ? `flows/${flow}/${run}/${step.step}/${task}/${attempt}` : `loose/${session}`;
    if (kind === 'artifact') lost.add(`${base} ${name}`);
    else if (kind === 'report') lost.add(`${base} report ${name}`);
    else if (kind === 'record' || kind === 'table') lost.add(base);
  }
  return lost;
}

describe.each([true, false])('a store whose reads are local: %s', (localReads) => {
  test.prop([arbitraryPlans, arbitraryDamages], { numRuns })(
    'is sound after a repair from a copy, and reads as before',
    async (plans, damages) => {
      const store = await newStore(plans, localReads);
      const before = await saidIn(store);
      const published = await bodiesIn(store, 'names/');
      const values = await readableIn(store);
      const copy = await copyOf(store, false);

      const damaged = await damage(store, damages);
      const steps = await stepsOf({ store, from: [copy] });

      const told = JSON.stringify({ damaged: [...damaged], steps }, undefined, 1);
      expect(
        steps.filter(({ outcome }) => outcome !== 'mended'),
        told,
      ).toEqual([]);
      expect(await faultsOf(store), told).toEqual([]);
      expect(await saidIn(store), told).toEqual(before);
      expect(await bodiesIn(store, 'names/'), told).toEqual(published);
      expect(await readableIn(store), told).toEqual(values);
      expect(await stepsOf({ store, from: [copy] })).toEqual([]);
    },
  );

  test.prop([arbitraryPlans, arbitraryDamages], { numRuns })(
    'tells without a copy exactly what is lost, and reads the rest as before',
    async (plans, damages) => {
      const store = await newStore(plans, localReads);
      const all = await readableIn(store);
      // An attempt that lost its DONE looks as if it were open.
      const damaged = await damage(store, damages, (name) => name.endsWith('.DONE'));
      const before = await readableIn(store);

      const steps = await stepsOf({ store });

      const after = await readableIn(store);
      const told = JSON.stringify({ damaged: [...damaged], steps }, undefined, 1);
      for (const [name, digest] of before) expect(after.get(name), told).toBe(digest);
      const lost = lostIn(steps);
      for (const name of all.keys()) {
        const isTold = lost.has(name) || lost.has(name.slice(0, name.indexOf(' ')));
        expect(isTold, `${name} ${told}`).toBe(!after.has(name));
      }
    },
  );
});
