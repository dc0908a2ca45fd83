import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLease } from '../../src/cache/lease-listing.ts';
import { TaskCache } from '../../src/cache/task-cache.ts';
import { isStowageError } from '../../src/errors.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { entryOfTask, keyOf } from '../cache/fixtures.ts';
import { bodyOf, codeOf, freshStore, namesOf, withFlippedBit } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';
import { openFlow } from './fixtures.ts';

/** One chunk: manifests of two such contents have one length. */
const CHUNK = 262_144;
const KEYS = ['a', 'b'].map(keyOf);
const LEASED = ['c', 'd'].map(keyOf);

/** A store with two of everything, so that each record has another that could lie in its place. */
async function smallStore(): Promise<{ storage: MemoryStorage; blobs: readonly { key: string }[] }> {
  const storage = new MemoryStorage();
  const flow = await openFlow({ flowName: 'F', storage });
  for (const [index, runId] of ['r1', 'r2'].entries()) {
    const run = await flow.createRun({ runId, tags: [runId], parameters: { index } });
    for (const taskId of ['x', 'y']) {
      const who = `${runId}/${taskId}`;
      const spec = { runId, stepName: 's', taskId };
      const failed = flow.task(spec, async (task) => {
        await task.saveArtifacts({ tried: who });
        throw new Error(who);
      });
      await failed.catch(() => {});
      await flow.task(spec, async (task) => {
        await task.saveArtifacts({ who, large: new Uint8Array(CHUNK).fill(who.charCodeAt(1) + index) });
        await task.saveMetadata({ who });
      });
      const open = await flow.createTaskDataStore({ ...spec, taskId: `${taskId}-open` });
      await open.saveMetadata({ first: who, latest: `${who} 0` });
      await open.saveMetadata({ latest: `${who} 1` });
    }
    if (index === 0) await run.finish('done');
    else await run.finish('failed', new Error(runId));
  }
  const blobs: { key: string }[] = [];
  for (const fill of [1, 2]) {
    const contents = [new Uint8Array(CHUNK).fill(fill), new Uint8Array(30_000).fill(fill)];
    for (const content of contents) blobs.push(...(await flow.caStore.saveBlobs([content])));
    blobs.push(...(await flow.caStore.saveData([{ name: 'f', data: new Uint8Array(50).fill(fill) }])));
  }
  const cache = new TaskCache(freshStore(storage));
  for (const [index, key] of KEYS.entries()) {
    await cache.store(key, await entryOfTask(storage, { key, index }, key.slice(0, 8)));
  }
  for (const key of LEASED) await cache.acquire(key);
  return { storage, blobs };
}

/** Everything that a store says, each by itself: what cannot be read says nothing, by an error of ours or by not being there. */
async function factsOf(
  storage: DataStoreStorage,
  blobs: readonly { key: string }[],
): Promise<Map<string, string>> {
  const facts = new Map<string, string>();
  const say = async (what: string, read: () => Promise<unknown>): Promise<void> => {
    try {
      const said = await read();
      if (said !== undefined) facts.set(what, JSON.stringify(said));
    } catch (error) {
      if (!isStowageError(error)) throw error;
    }
  };
  const flow = await openFlow({ flowName: 'F', storage });
  await say('runs', async () => (await flow.runs()).map(({ run }) => run.runId).sort());
  for (const runId of ['r1', 'r2']) {
    await say(runId, async () => {
      const info = await flow.run(runId).info();
      return [info.tags, info.parameters, info.status, info.finished?.error?.message];
    });
    for (const taskId of ['x', 'y', 'x-open', 'y-open']) {
      const path = `${runId}/s/${taskId}`;
      for (const attempt of taskId.endsWith('open') ? [0] : [0, 1, undefined]) {
        await sayTask(flow, `${path}${attempt === undefined ? '' : `/${attempt}`}`, say);
      }
    }
  }
  for (const { key } of blobs) {
    for (const address of [
      key,
      { key, bytes: undefined },
      blobs.find((blob) => blob.key === key) as { key: string },
    ]) {
      await say(`${key} ${typeof address === 'string' ? '' : Object.keys(address).length}`, async () => {
        for await (const { blob } of flow.caStore.loadBlobs([address as string]))
          return [blob.length, blob[0], blob.at(-1)];
        return undefined;
      });
    }
    await say(`${key} in part`, async () => {
      const pieces: Uint8Array[] = [];
      const range = { offset: 7, length: 20 };
      for await (const piece of flow.caStore.streamBlob(key, { range })) pieces.push(piece);
      return Buffer.concat(pieces).toString('hex');
    });
  }
  const cache = new TaskCache(freshStore(storage));
  for (const key of KEYS) {
    await say(`entry ${key}`, async () => {
      const found = await cache.lookup(key);
      return found.status === 'hit' ? found.entry : undefined;
    });
  }
  for (const key of LEASED) await say(`lease ${key}`, () => readLease(storage, key, 1, {}));
  return facts;
}

async function sayTask(
  flow: FlowDataStore,
  pathspec: string,
  say: (what: string, read: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await say(`${pathspec} status`, async () => {
    const task = await flow.getTaskDataStore(pathspec, { allowNotDone: true });
    const metadata = await task.loadMetadata();
    for (const [name, value] of Object.entries(metadata))
      await say(`${pathspec} said ${name}`, async () => value);
    for (const name of task.names()) {
      await say(`${pathspec} artifact ${name}`, async () => {
        const value = await task.get(name);
        return value instanceof Uint8Array ? [value.length, value[0], value.at(-1)] : value;
      });
    }
    return [task.status, task.startedAt, task.error?.message];
  });
}

const { storage: intact, blobs } = await smallStore();
const objects = new Map<string, Uint8Array>();
for (const name of await namesOf(intact)) objects.set(name, await bodyOf(intact, name));
/** Marks are empty, and logs and marks say nothing of themselves. */
const names = [...objects.keys()].filter((name) => (objects.get(name) as Uint8Array).length > 0);
const facts = await factsOf(intact, blobs);

/** The name of a copy holds its length: the object that is put there gets a name that fits. */
function nameFor(name: string, bytes: Uint8Array): string {
  return /^(data|manifests)\//.test(name) ? name.replace(/\d+$/, String(bytes.length)) : name;
}

/** The store, with other bytes in some places. */
async function storeWith(changes: ReadonlyMap<string, Uint8Array>): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  for (const [name, bytes] of objects) {
    const changed = changes.get(name) ?? bytes;
    await storage.create(changed === bytes ? name : nameFor(name, changed), changed);
  }
  return storage;
}

/** What the names of the records of one thing begin with. */
function baseOf(name: string): string {
  const start = name.lastIndexOf('/') + 1;
  return name.startsWith('runs/') ? name.slice(0, start) : name.slice(0, name.indexOf('.', start));
}

/** Names alike but for whose they are: what lies under such two is taken for one another most easily. */
const kindOf = (name: string): string => name.replace(/[0-9a-v]{10,}/g, '').replace(/[xyr]\d?/g, '');
const pairs = fc.oneof(
  fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)),
  fc.constantFrom(...names).chain((name) => {
    const alike = names.filter((other) => kindOf(other) === kindOf(name));
    return fc.tuple(fc.constant(name), fc.constantFrom(...alike));
  }),
);
/** Of what all records of one attempt, session or run lie where those of another belong. */
const bases = [...new Set(names.filter((name) => /^(flows|runs|loose)\//.test(name)).map(baseOf))];
const sets = fc.tuple(fc.constantFrom(...bases), fc.constantFrom(...bases)).map(([a, b]) => {
  const moved = new Map<string, Uint8Array>();
  for (const name of names) {
    const bytes = objects.get(b + name.slice(a.length));
    if (name.startsWith(a) && baseOf(name) === a && bytes) moved.set(name, bytes);
  }
  return moved;
});
const changes = fc.oneof(
  sets,
  pairs.map(
    ([a, b]) =>
      new Map([
        [a, objects.get(b) as Uint8Array],
        [b, objects.get(a) as Uint8Array],
      ]),
  ),
  pairs.map(([a, b]) => new Map([[a, objects.get(b) as Uint8Array]])),
  fc.tuple(fc.constantFrom(...names), fc.nat()).map(([name, at]) => {
    const bytes = objects.get(name) as Uint8Array;
    return new Map([[name, withFlippedBit(bytes, at % (8 * bytes.length))]]);
  }),
  fc.tuple(fc.constantFrom(...names), fc.nat()).map(([name, at]) => {
    const bytes = objects.get(name) as Uint8Array;
    return new Map([[name, bytes.slice(0, at % bytes.length)]]);
  }),
);

describe('a store in which objects lie where others belong', () => {
  it('says all there is to say as long as none does', () => {
    expect(facts.size).toBeGreaterThan(60);
    expect(facts.get('r1/s/x artifact who')).toBe('"r1/x"');
    expect(facts.get('r2/s/y-open/0 said latest')).toBe('"r2/y 1"');
    expect(facts.get(`entry ${KEYS[0]}`)).toContain(KEYS[0]);
    expect(facts.get(`lease ${LEASED[0]}`)).toContain(LEASED[0]);
  });

  test.prop([changes], { numRuns: Math.ceil(propertyRuns / 8) })(
    'says what is right, or nothing',
    async (changed) => {
      const storage = await storeWith(changed);
      if ((await codeOf(() => freshStore(storage).storeId())) !== undefined) return;
      for (const [what, said] of await factsOf(storage, blobs)) {
        expect([what, said], [...changed.keys()].join()).toEqual([what, facts.get(what)]);
      }
    },
  );
});
