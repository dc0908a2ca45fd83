import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WrittenValue } from '../../../src/content/writing/own-writer.ts';
import { collectionVersionName, decodeCollectionVersion } from '../../../src/format/collection-records.ts';
import { copyName, damagedMarkOf, packName } from '../../../src/format/content-names.ts';
import { HERE } from '../../../src/format/content-ref.ts';
import { decodeRecord, encodeRecord } from '../../../src/format/record.ts';
import { decodeAttempt } from '../../../src/format/session-files.ts';
import { newSessionId } from '../../../src/format/session-id.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import { StandaloneSession } from '../../../src/sessions/standalone-session.ts';
import type { DataStoreStorage, GetOptions, StoredObject } from '../../../src/storage/contract.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { SerializerRegistry } from '../../../src/values/registry.ts';
import { ObservedStorage } from '../../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, saveTask, scratchFolder } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';
import { until } from '../../waiting.ts';
import { collect } from './collect.ts';
import {
  arbitraryDeeds,
  carryOut,
  contentNames,
  keptNames,
  markClosed,
  readEverything,
} from './histories.ts';

/** Knows what was read whole. */
class ReturnedStorage extends ObservedStorage {
  readonly returned = new Set<string>();

  constructor(inner: DataStoreStorage) {
    super(inner, { localReads: false });
  }

  override async get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    const object = await super.get(name, options);
    setImmediate(() => this.returned.add(name));
    return object;
  }
}

const NOTHING_LEFT = { outcome: 'nothing', condemned: { copies: 0, packs: 0, plain: 0, values: 0 } };
const DAY_MS = 24 * 60 * 60 * 1000;
const later = (): number => Date.now() + 2 * DAY_MS;

describe('a collection', () => {
  test.prop([arbitraryDeeds, fc.boolean()], { numRuns: Math.ceil(propertyRuns / 3) })(
    'deletes exactly what nothing refers to, and a second one finds nothing',
    async (deeds, localReads) => {
      const storage = new MemoryStorage('', { localReads });
      const flow = await openFlow({ storage });
      await saveTask(flow, { x: 1 }, { taskId: 'first' });
      const open = await carryOut(flow, deeds);
      const kept = await keptNames(storage);
      const before = await readEverything(flow);
      await collect(storage);
      expect(await contentNames(storage)).toEqual(kept);
      expect(await readEverything(flow)).toEqual(before);
      expect(await collect(storage)).toMatchObject(NOTHING_LEFT);
      for (const task of open) await task.done();
      await readEverything(flow);
    },
    120_000,
  );

  test.prop([arbitraryDeeds, fc.nat(400), fc.constantFrom('before', 'after')], {
    numRuns: Math.ceil(propertyRuns / 3),
  })(
    'that dies anywhere loses nothing, and the next one ends what it began',
    async (deeds, diesAt, kind) => {
      const storage = new MemoryStorage('', { localReads: false });
      const flow = await openFlow({ storage });
      await saveTask(flow, { x: 1 }, { taskId: 'first' });
      const open = await carryOut(flow, deeds);
      const kept = await keptNames(storage);
      const before = await readEverything(flow);
      let calls = 0;
      // A lost response, and then nothing any more.
      const dying = new FaultStorage(storage, () => {
        calls += 1;
        if (calls < diesAt) return undefined;
        return calls === diesAt && kind === 'after' ? { kind: 'after' } : { kind: 'before' };
      });
      await collect(dying).catch(() => {});
      expect(await readEverything(flow)).toEqual(before);
      await collect(storage);
      expect(await readEverything(flow)).toEqual(before);
      expect(await contentNames(storage)).toEqual(kept);
      expect(await collect(storage)).toMatchObject(NOTHING_LEFT);
      for (const task of open) await task.done();
      await readEverything(flow);
    },
    120_000,
  );

  test.prop([arbitraryDeeds, arbitraryDeeds, fc.infiniteStream(fc.integer({ min: 0, max: 3 }))], {
    numRuns: Math.ceil(propertyRuns / 6),
  })(
    'beside writers and another collection loses nothing',
    async (deeds, meanwhile, turns) => {
      const inner = new MemoryStorage('', { localReads: false });
      const first = await openFlow({ storage: inner });
      await saveTask(first, { x: 1 }, { taskId: 'first' });
      const open = await carryOut(first, deeds);
      const slow = (): FaultStorage =>
        new FaultStorage(inner, () => ({ kind: 'delay', ms: turns.next().value ?? 0 }));
      const writer = await openFlow({ storage: slow() });
      const [opened, ...results] = await Promise.all([
        carryOut(writer, meanwhile),
        collect(slow()),
        collect(slow()),
      ]);
      expect(results.some(({ outcome }) => outcome !== 'superseded')).toBe(true);
      for (const task of [...open, ...opened]) await task.done();
      const flow = await openFlow({ storage: inner });
      const before = await readEverything(flow);
      await collect(inner);
      expect(await readEverything(flow)).toEqual(before);
    },
    120_000,
  );
});

describe('what stays', () => {
  it('content that a run which was deleted shared with another', async () => {
    const flow = await openFlow();
    await saveTask(flow, { a: noise(300_000), b: noise(20_000, 2) }, { taskId: '1' });
    await saveTask(flow, { a: noise(300_000) }, { taskId: '2' });
    await markClosed(flow.storage, '1', 'DELETED');
    const { deleted } = await collect(flow.storage);
    expect(deleted).toMatchObject({ copies: 1, packs: 0 });
    await readEverything(flow);
  });

  it('of an attempt that was deleted what an artifact refers to that another one took over, and nothing else', async () => {
    class Film {
      readonly key: string;
      constructor(key: string) {
        this.key = key;
      }
    }
    const serializers = new SerializerRegistry();
    serializers.register({
      id: 'film',
      priority: 900,
      accepts: (value) => value instanceof Film,
      serialize: (value, context) => {
        const { key } = value as Film;
        context.addRef({ place: HERE, kind: 'key', name: key });
        return { type: 'Film', bytes: Buffer.from(key) };
      },
      deserialize: (bytes) => new Film(Buffer.from(bytes).toString()),
    });
    const flow = await openFlow({ serializers });
    const saved = await flow.caStore.saveBlobs([noise(20_000, 1), noise(20_000, 2)]);
    const [kept, left] = saved.map(({ key }) => new Film(key));
    await saveTask(flow, { kept, left }, { taskId: '1' });
    const origin = await flow.getTaskDataStore('r1/fit/1');
    const spec = { runId: 'r1', stepName: 'fit', taskId: '2' };
    await flow.task(spec, (task) => task.passdownPartial(origin, ['kept']));
    for (const session of new Set(saved.map((one) => one.session))) await flow.caStore.release(session);
    await markClosed(flow.storage, '1', 'DELETED');
    expect((await collect(flow.storage)).deleted).toMatchObject({ copies: 1 });
    expect(await objectNames(flow.storage, 'data/')).toEqual([saved[0]?.copy]);
  });

  it('a moved table of an attempt whose content was given up', async () => {
    const flow = await openFlow();
    const many = Object.fromEntries(Array.from({ length: 18_500 }, (_, i) => [`${'x'.repeat(120)}${i}`, i]));
    await saveTask(flow, { ...many, big: noise(300_000) }, { taskId: '1' });
    expect(await objectNames(flow.storage, 'manifests/')).toHaveLength(2);
    await markClosed(flow.storage, '1', 'PURGED');
    expect((await collect(flow.storage)).deleted).toMatchObject({ copies: 1 });
    const read = await flow.getTaskDataStore('r1/fit/1');
    expect(read.names()).toHaveLength(18_501);
    await errorOf(read.get('big'), 'CONTENT_PURGED');
  });

  it('a plain object that is named like a mark of damage', async () => {
    const flow = await openFlow();
    await flow.caStore.saveData([{ name: 'x.damaged', data: noise(10) }]);
    await collect(flow.storage);
    expect(await objectNames(flow.storage, 'plain/')).toHaveLength(1);
  });

  it('values of an attempt that is open, whatever it dropped', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await task.saveArtifacts({ a: noise(20_000) });
    await task.saveArtifacts({ a: noise(20_000, 2) });
    await collect(storage, { nowMs: Date.now() });
    expect(await objectNames(storage, 'values/')).toHaveLength(2);
    await task.done();
    expect((await collect(storage)).deleted.values).toBe(1);
    await readEverything(flow);
  });

  it('values that are written anew for a closed attempt while the sessions are read', async () => {
    const inner = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage: inner });
    await saveTask(flow, { a: noise(20_000), b: noise(20_000, 2) });
    const base = 'flows/Test/r1/fit/0/0';
    const described = (await inner.get(`${base}.metadata.json`))?.body as Uint8Array;
    const eraser = await StandaloneSession.open(flow.caStore, {});
    const [written] = await eraser.session.putOwn([{ bytes: noise(20_000) }], {
      base: 'values/Test/r1/fit/0/0.',
    });
    const { object, bytes } = (written as WrittenValue).within;
    const read = ['loose/', 'flows/'];
    const storage = new ReturnedStorage(inner);
    storage.before = async (operation, name) => {
      if (operation !== 'list' || !read.includes(name)) return;
      read.splice(read.indexOf(name), 1);
      if (read.length > 0) return;
      // Were attempts listed first, this one's description would be read by now, with the values that it lists.
      if (name === 'loose/') await until(() => storage.returned.has(`${base}.metadata.json`));
      // Some of the sessions were read; now the description stands, and then the session is over.
      const { digest: _, ...record } = decodeRecord(described, 'metadata.json');
      const rows = (record.artifacts as { name: string }[]).filter(({ name }) => name === 'a');
      const artifacts = rows.map((row) => ({ ...row, own: written?.own }));
      const anew = { ...record, artifacts, values: [{ object, bytes }], reason: 'asked to', erased: ['b'] };
      await inner.create(`${base}.ERASED.00000000.json`, encodeRecord(anew));
      await inner.delete([`${base}.metadata.json`]);
      await eraser.done([], {});
    };
    await collect(storage);
    expect(read).toEqual([]);
    await collect(inner);
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(await task.loadArtifacts()).toEqual({ a: noise(20_000) });
    expect(await objectNames(inner, 'values/')).toHaveLength(1);
  });

  it('values without any file of their attempt, for a day', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    await saveTask(flow, { a: noise(20_000) });
    await storage.delete(await objectNames(storage, 'flows/'));
    expect((await collect(storage)).deleted.values).toBe(0);
    expect((await collect(storage, { nowMs: later() })).deleted.values).toBe(1);
  });
});

describe('what an open session does meanwhile', () => {
  it('keeps what carries its id, though nothing pins it, and what lies beside its attempt', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    const [name = ''] = await objectNames(storage, 'flows/');
    const { session } = decodeAttempt((await storage.get(name))?.body as Uint8Array, name, {});
    const mine = [
      copyName('data', '0'.repeat(64), session, 1, 9),
      packName(session, 2),
      `plain/${session}-00000003/x`,
      `values/Test/r1/fit/0/0.${newSessionId()}-00000000`,
    ];
    for (const each of mine) await storage.create(each, new Uint8Array(9));
    await collect(storage, { nowMs: Date.now() });
    expect(await contentNames(storage)).toEqual(mine);
    // What was open at the first mark lives through that collection, also where it is given up by it.
    expect(await collect(storage, { nowMs: later() })).toMatchObject({ abandoned: 1 });
    expect(await contentNames(storage)).toEqual(mine);
    await collect(storage);
    expect(await contentNames(storage)).toEqual([]);
    await task.done();
  });

  it('spares what was found dead, and was hit before that was proposed', async () => {
    const inner = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage: inner, ownBytes: 0 });
    await saveTask(flow, { a: noise(20_000), b: noise(300_000) });
    await markClosed(inner, '0', 'DELETED');
    const storage = new ObservedStorage(inner);
    storage.before = async (operation, name) => {
      if (operation !== 'create' || name !== collectionVersionName(1)) return;
      storage.before = () => {};
      await saveTask(flow, { a: noise(20_000), b: noise(300_000) }, { taskId: '1' });
    };
    expect(await collect(storage)).toMatchObject({ spared: 3, deleted: { copies: 0, packs: 0 } });
    expect(await contentNames(inner)).toHaveLength(3);
    await readEverything(flow);
  });
});

describe('a final version of a collector that died', () => {
  it('is finished before anything is proposed', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage, ownBytes: 0 });
    await saveTask(flow, { a: noise(20_000) });
    await markClosed(storage, '0', 'DELETED');
    let isDead = false;
    const dying = new FaultStorage(storage, (operation) => {
      isDead ||= operation === 'delete';
      return isDead ? { kind: 'before' } : undefined;
    });
    await collect(dying).catch(() => {});
    await collect(storage);
    const states: string[] = [];
    for (let version = 1; ; version++) {
      const object = await storage.get(collectionVersionName(version));
      if (!object) break;
      states.push(decodeCollectionVersion(object.body, 'version', version).state);
    }
    expect(states.slice(0, 3)).toEqual(['proposed', 'final', 'idle']);
    expect(await contentNames(storage)).toEqual([]);
    expect(await objectNames(storage, 'pins/')).toEqual([]);
  });
});

describe('what goes beside content', () => {
  it('pins of sessions that are closed, and marks of damage without their object', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage, ownBytes: 0 });
    await saveTask(flow, { a: noise(20_000), b: noise(300_000, 2) });
    const copies = await contentNames(storage);
    for (const name of copies) await storage.create(damagedMarkOf(name), new Uint8Array(0));
    await markClosed(storage, '0', 'DELETED');
    const orphan = damagedMarkOf((copies[0] as string).replace(/0{8}(?=\.\d+$)/, '00000009'));
    await storage.create(orphan, new Uint8Array(0));
    expect((await collect(storage)).deleted).toMatchObject({ copies: 2, packs: 1, pins: 1, marks: 1 });
    expect([await contentNames(storage), await objectNames(storage, 'pins/')]).toEqual([[], []]);
  });
});

describe('a silent session', () => {
  it('is closed as abandoned after a day by the store’s clock; its owner goes on as the next attempt', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage, ownBytes: 0 });
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await task.saveArtifacts({ a: noise(20_000) });
    expect(await collect(storage, { nowMs: Date.now() + DAY_MS - 60_000 })).toMatchObject({ abandoned: 0 });
    expect(await collect(storage, { nowMs: later() })).toMatchObject({ abandoned: 1 });
    expect(await contentNames(storage)).toHaveLength(1); // what it kept goes with the next collection
    await task.done();
    expect(task.pathspec).toBe('r1/fit/0/1');
    await readEverything(flow);
    await collect(storage);
    await readEverything(flow);
    expect(await contentNames(storage)).toHaveLength(1);
  });

  it('that gave a sign of life is left alone', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    const [name = ''] = await objectNames(storage, 'flows/');
    const body = (await storage.get(name))?.body as Uint8Array;
    const { session } = decodeAttempt(body, name, {});
    const nowMs = Date.now() + DAY_MS + 1000;
    await new Promise((resolve) => setTimeout(resolve, 5));
    await storage.overwrite(`beats/${session}`, new Uint8Array(1));
    const beatMs = (await storage.head(`beats/${session}`))?.modifiedAtMs as number;
    const startMs = (await storage.head(name))?.modifiedAtMs as number;
    expect(beatMs).toBeGreaterThan(startMs);
    expect(await collect(storage, { nowMs: startMs + DAY_MS })).toMatchObject({ abandoned: 0 });
    expect(await collect(storage, { nowMs })).toMatchObject({ abandoned: 1 });
  });
});

describe('nothing is deleted', () => {
  it('where there is no store', async () => {
    await errorOf(collect(new MemoryStorage()), 'NO_SUCH_STORE');
  });

  it.each(['owners/x', 'partial/F/r/s/t/0.later.ab.json'])('where a newer release wrote %s', async (name) => {
    const flow = await openFlow();
    await saveTask(flow, { a: noise(20_000) });
    await markClosed(flow.storage, '0', 'DELETED');
    await flow.storage.create(name, new Uint8Array(1));
    const { message } = await errorOf(collect(flow.storage), 'UNSUPPORTED_FORMAT');
    expect(message).toContain(name.startsWith('owners') ? 'owners/' : name);
    expect(await contentNames(flow.storage)).toHaveLength(1);
  });

  it('where a record that may keep content alive cannot be read, which is named', async () => {
    for (const suffix of ['attempt.json', 'metadata.json', 'DONE']) {
      const flow = await openFlow();
      await saveTask(flow, { a: noise(20_000) });
      if (suffix === 'attempt.json')
        await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
      await saveTask(flow, { b: noise(20_000, 2) }, { taskId: '1' });
      await markClosed(flow.storage, '1', 'DELETED');
      const name = `flows/Test/r1/fit/0/${suffix === 'attempt.json' ? 1 : 0}.${suffix}`;
      const body = (await flow.storage.get(name))?.body as Uint8Array;
      body[20] = (body[20] as number) ^ 1;
      await flow.storage.overwrite(name, body);
      const { message } = await errorOf(collect(flow.storage), 'RECORD_DAMAGED');
      expect(message).toContain(name);
      if (suffix === 'metadata.json') {
        await flow.storage.delete([name]);
        await errorOf(collect(flow.storage), 'RECORD_DAMAGED');
      }
      expect(await contentNames(flow.storage)).toHaveLength(2);
    }
  });

  it('where no manifest of a content that lives can be read; with a whole one beside it the other is no matter', async () => {
    const flow = await openFlow();
    await saveTask(flow, { a: noise(300_000) });
    const [name = ''] = await objectNames(flow.storage, 'manifests/');
    const body = (await flow.storage.get(name))?.body as Uint8Array;
    body[70] = (body[70] as number) ^ 1;
    await flow.storage.overwrite(name, body);
    await errorOf(collect(flow.storage), 'CONTENT_DAMAGED');
    await errorOf(
      flow.getTaskDataStore('r1/fit/0').then((task) => task.get('a')),
      'CONTENT_DAMAGED',
    );
    await saveTask(await openFlow({ storage: flow.storage }), { a: noise(300_000) }, { taskId: '1' });
    await collect(flow.storage);
    expect(await objectNames(flow.storage, 'packs/')).toHaveLength(1);
    await readEverything(flow);
  });

  it('in a dry run, which tells what would be condemned', async () => {
    const flow = await openFlow();
    await saveTask(flow, { a: noise(20_000), b: noise(300_000) });
    await markClosed(flow.storage, '0', 'DELETED');
    const before = await objectNames(flow.storage);
    expect(await collect(flow.storage, { dryRun: true })).toMatchObject({
      outcome: 'dry-run',
      condemned: { copies: 2, packs: 1 },
    });
    expect(await objectNames(flow.storage)).toEqual(before);
  });

  it('once it was aborted', async () => {
    const flow = await openFlow();
    await saveTask(flow, { a: noise(20_000) });
    await markClosed(flow.storage, '0', 'DELETED');
    const abort = new AbortController();
    const onProgress = (step: string): void => {
      if (step === 'final') abort.abort();
    };
    await errorOf(collect(flow.storage, { signal: abort.signal, onProgress }), 'ABORTED');
    expect(await contentNames(flow.storage)).toHaveLength(1);
  });
});

describe('a name that is not confirmed gone', () => {
  it('stays condemned, also where its key lives again, until it is gone', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage, ownBytes: 0 });
    await saveTask(flow, { a: noise(20_000) });
    await markClosed(storage, '0', 'DELETED');
    const [old = ''] = await contentNames(storage);
    const locked = new FaultStorage(storage, (operation, name) =>
      operation === 'delete' && name === old ? { kind: 'before' } : undefined,
    );
    expect((await collect(locked)).unconfirmed.map(({ entry }) => entry.name)).toEqual([old]);
    // It is no hit, in this process and in others.
    await saveTask(flow, { a: noise(20_000) }, { taskId: '1' });
    await saveTask(await openFlow({ storage, ownBytes: 0 }), { a: noise(20_000) }, { taskId: '2' });
    expect(await contentNames(storage)).toHaveLength(2);
    expect((await collect(locked)).unconfirmed).toHaveLength(1);
    expect((await collect(storage)).deleted.copies).toBe(1);
    expect(await contentNames(storage)).not.toContain(old);
    await readEverything(flow);
    expect(await collect(storage)).toMatchObject(NOTHING_LEFT);
  });
});

describe('many names', () => {
  it('lie in lists, of which the last version’s stay', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveTask(flow, { a: noise(20_000) });
    const [name = ''] = await contentNames(storage);
    const copies = Array.from({ length: 3000 }, (_, i) =>
      name.replace(/-\d{8}/, `-${String(i + 10).padStart(8, '0')}`),
    );
    for (const copy of copies) await storage.create(copy, new Uint8Array(1));
    await markClosed(storage, '0', 'DELETED');
    const locked = new FaultStorage(storage, (operation) =>
      operation === 'delete' ? { kind: 'before' } : undefined,
    );
    await collect(locked);
    const lists = await objectNames(storage, 'gc/lists/');
    expect(lists.length).toBeGreaterThan(2);
    expect(await collect(storage, { maxCondemned: 1000 })).toMatchObject({
      more: true,
      deleted: { copies: 3001 },
    });
    expect(await objectNames(storage, 'gc/lists/')).toEqual([]);
  });
});

describe('a place elsewhere', () => {
  it('is collected with its store, and left alone where owner.json names another', async () => {
    const [folder, elsewhere] = [`${scratchFolder()}/store`, scratchFolder()];
    const flow = await openFlow({ storage: folder, rawDataPath: elsewhere });
    await saveTask(flow, { a: noise(300_000), b: noise(20_000) });
    await markClosed(flow.storage, '0', 'DELETED');
    const [{ id } = { id: '' }] = await flow.caStore.otherPlaces.list({});
    const { storage } = await flow.caStore.at(id, {});
    const owner = (await storage.get('owner.json'))?.body as Uint8Array;
    await storage.delete(['owner.json']);
    const skipped = await collectGarbage(flow.caStore);
    expect(skipped.skippedPlaces.map(({ error }) => error.code)).toEqual(['PLACE_NOT_OURS']);
    expect(await contentNames(storage)).toHaveLength(3);
    await storage.create('owner.json', owner);
    expect(await collectGarbage(flow.caStore)).toMatchObject({
      deleted: { copies: 2, packs: 1 },
      skippedPlaces: [],
    });
    expect(await contentNames(storage)).toEqual([]);
  });
});
