import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import type { CallOptions, DataStoreStorage, DeleteFailure } from '../../../src/storage/contract.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { ObservedStorage } from '../../content/storages.ts';
import { errorOf, noise, objectNames, openFlow } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';

const SPEC = { runId: 'r1', stepName: 'fit', taskId: '0' };
const DAY_MS = 24 * 60 * 60 * 1000;
const [LARGE, OTHER, THIRD] = [noise(270_000), noise(66_000, 9), noise(66_000, 5)];

async function collect(storage: DataStoreStorage, nowMs?: number): Promise<void> {
  if (!(await storage.head('stowage.json'))) return; // nothing was written yet
  const content = new ContentAddressedStore(storage);
  await collectGarbage(content, { nowMs });
  await content.close();
}

/** An attempt whose two traced calls have large results. `runs` counts the calls that were run. */
async function attempt(
  flow: FlowDataStore,
  ending: 'done' | 'failed' | 'open',
  runs: { count: number } = { count: 0 },
  inputs: readonly string[] = ['third', 'other'],
): Promise<Uint8Array[]> {
  const task = await flow.createTaskDataStore(SPEC);
  const load = task.trace('load', async (which: string) => {
    runs.count += 1;
    return which === 'third' ? THIRD : OTHER;
  });
  const results: Uint8Array[] = [];
  for (const input of inputs) results.push(await load(input));
  await task.saveArtifacts(Object.fromEntries(results.map((value, index) => [`v${index}`, value])));
  if (ending === 'done') await task.done();
  if (ending === 'failed') await task.fail(new Error('next'));
  return results;
}

describe('content that traces name', () => {
  it.each(['failed', 'open'] as const)(
    'lives on while its attempt is %s, and is replayed',
    async (ending) => {
      const storage = new MemoryStorage();
      const flow = await openFlow({ storage });
      let runs = 0;
      const load = (which: string): Uint8Array => {
        runs += 1;
        return which === 'large' ? LARGE : OTHER;
      };
      // Not saved as an artifact, so that traces alone name it.
      const task = await flow.createTaskDataStore(SPEC);
      await task.trace('load', load)('large');
      await task.trace('load', load)('other');
      if (ending === 'failed') await task.fail(new Error('next'));
      const content = async (): Promise<string[]> =>
        (await objectNames(storage)).filter((name) => /^(data|manifests|packs|partial)\//.test(name));
      const before = await content();
      await collect(storage);
      expect(await content()).toEqual(before);
      const retry = await flow.createTaskDataStore(SPEC);
      expect(Buffer.compare(await retry.trace('load', load)('large'), LARGE)).toBe(0);
      expect(runs).toBe(2);
    },
  );

  it('lives on though its attempt is abandoned, and goes once a later attempt is done', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(SPEC);
    let runs = 0;
    const load = (): Uint8Array => {
      runs += 1;
      return OTHER;
    };
    await task.trace('load', load)();
    await collect(storage, Date.now() + 3 * DAY_MS); // abandons it
    expect((await objectNames(storage, 'flows/')).filter((name) => name.endsWith('DONE'))).toHaveLength(1);
    await collect(storage);
    expect(await objectNames(storage, 'data/')).toHaveLength(1);
    await flow.task(SPEC, async (retry) => {
      expect(Buffer.compare(await retry.trace('load', load)(), OTHER)).toBe(0);
    });
    expect(runs).toBe(1);
    await collect(storage);
    expect(await objectNames(storage, 'data/')).toEqual([]);
    expect((await objectNames(storage, 'partial/')).length).toBe(1);
    await errorOf(task.done(), 'ATTEMPT_FENCED');
  });

  it.each(['DELETED', 'PURGED'])('goes once its attempt is given up by %s', async (mark) => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(SPEC);
    await task.trace('load', () => OTHER)();
    await task.fail(new Error('next'));
    await storage.create(`flows/Test/r1/fit/0/0.${mark}`, new Uint8Array(0));
    if (mark === 'DELETED') await storage.delete(['flows/Test/r1/fit/0/0.metadata.json']);
    await collect(storage);
    expect(await objectNames(storage, 'data/')).toEqual([]);
  });

  it('that a fenced owner recorded late lives, where a collection finds the record before it decides', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const sleeper = await flow.createTaskDataStore(SPEC);
    let runs = 0;
    const loadOther = (): Uint8Array => {
      runs += 1;
      return OTHER;
    };
    const load = sleeper.trace('load', loadOther);
    await collect(storage, Date.now() + 3 * DAY_MS);
    const proposing = new ObservedStorage(storage);
    // It is found before the log says that it is about to be deleted; the pins of a session that is closed keep nothing.
    const [released] = await flow.caStore.saveBlobs([OTHER]);
    await flow.caStore.release(released?.session as string);
    let isLate = false;
    proposing.before = async (operation, name) => {
      if (isLate || operation !== 'create' || !name.startsWith('gc/')) return;
      isLate = true;
      await load();
    };
    await collect(proposing);
    expect(isLate).toBe(true);
    expect(await objectNames(storage, 'data/')).toHaveLength(1);
    expect(await objectNames(storage, 'partial/')).toHaveLength(1);
    await flow.task(SPEC, async (task) => {
      expect(Buffer.compare(await task.trace('load', loadOther)(), OTHER)).toBe(0);
    });
    expect(runs).toBe(1);
  });

  it('stops a collection whose record cannot be read, which names it', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await attempt(flow, 'failed');
    const [name = ''] = await objectNames(storage, 'partial/');
    const bytes = (await storage.get(name))?.body as Uint8Array;
    await storage.overwrite(name, bytes.with(5, (bytes[5] as number) ^ 1));
    const error = await errorOf(collect(storage), 'RECORD_DAMAGED');
    expect(error.message).toContain(name);
  });

  it('is there for a retry, or its call runs again, wherever a collection comes in between', async () => {
    for (let at = 0, calls = 1; at < calls; at++) {
      const storage = new MemoryStorage('', { localReads: false });
      const flow = await openFlow({ storage });
      const runs = { count: 0 };
      await attempt(flow, 'failed', runs, ['third']);
      let made = 0;
      const paced = new Paced(storage, async (call) => {
        made = call + 1;
        if (call === at) await collect(storage);
      });
      const retry = await openFlow({ storage: paced });
      await attempt(retry, 'done', runs, ['third']);
      expect(runs.count).toBe(1);
      await collect(storage);
      const read = await (await openFlow({ storage })).getTaskDataStore('r1/fit/0');
      expect(Buffer.compare((await read.get('v0')) as Uint8Array, THIRD)).toBe(0);
      calls = made;
    }
  });

  it('is recorded or not, and nothing else, wherever the process dies', async () => {
    for (let at = 0, isOver = false; !isOver; at++) {
      const storage = new MemoryStorage('', { localReads: false });
      let calls = 0;
      const dying = new FaultStorage(storage, () => {
        calls += 1;
        return calls > at ? { kind: 'before' as const } : undefined;
      });
      const work = async (): Promise<Uint8Array[]> => attempt(await openFlow({ storage: dying }), 'open');
      const results = await work().catch(() => undefined);
      isOver = results !== undefined;
      const recorded = (await objectNames(storage, 'partial/')).length;
      await collect(storage);
      const retry = await openFlow({ storage });
      const again = { count: 0 };
      const values = await attempt(retry, 'done', again);
      expect(again.count).toBe(2 - recorded);
      expect(Buffer.compare(values[0] as Uint8Array, THIRD)).toBe(0);
    }
  });

  test.prop([fc.array(fc.constantFrom('done', 'failed', 'open', 'collect', 'purge'), { maxLength: 7 })], {
    numRuns: Math.ceil(propertyRuns * 0.4),
  })('is whole for every attempt that may go on from it', async (deeds) => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const runs = { count: 0 };
    let isRecorded = false;
    for (const deed of deeds) {
      if (deed === 'collect') await collect(storage);
      else if (deed === 'purge') {
        for (const done of await objectNames(storage, 'flows/'))
          if (done.endsWith('.DONE'))
            await storage.create(done.replace(/DONE$/, 'PURGED'), new Uint8Array(0));
        isRecorded = false; // what is still open may be, and is not told here
      } else {
        runs.count = 0;
        await attempt(flow, deed as 'done', runs);
        if (isRecorded) expect(runs.count).toBe(0);
        isRecorded = deed !== 'done';
      }
    }
  });
});

/** Awaits `turn` before each call of a process, deletes among them. */
class Paced extends ObservedStorage {
  constructor(inner: DataStoreStorage, turn: (call: number) => unknown) {
    super(inner, { localReads: false });
    let calls = 0;
    this.before = () => turn(calls++);
  }

  override async delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    await this.before('delete', names[0] ?? '');
    return this.inner.delete(names, options);
  }
}
