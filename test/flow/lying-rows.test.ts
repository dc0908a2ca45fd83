import fc from 'fast-check';
import { beforeAll, describe, expect } from 'vitest';
import { sealEnvelope } from '../../src/codec/envelope.ts';
import { prepareCodec } from '../../src/codec/zstd.ts';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { isStowageError } from '../../src/errors.ts';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { encodeTable } from '../../src/format/description.ts';
import { decodeVerifiedRecord, encodeRecord } from '../../src/format/record.ts';
import { collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { FileRef } from '../../src/references/file-ref.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { bodyOf, mergeInto, namesOf, ObservedStorage } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';
import { noise, openFlow, saveTask } from './fixtures.ts';

type Fields = Record<string, unknown>;
type Way = readonly (string | number)[];

const LYING = 'flows/Test/r1/fit/0/0';
const HONEST = 'flows/Test/r1/fit/1/0';
const MIB = 1024 * 1024;
/** More than everything in the store, and what reading it several times leaves for the collector of memory. */
const MOST_BYTES = 512 * MIB;

/** Saves lists of keys, and refers to the contents that they name. */
function serializersWithRefs(): SerializerRegistry {
  const serializers = new SerializerRegistry();
  serializers.register({
    id: 'keys',
    priority: 900,
    accepts: (value) => Array.isArray(value) && value[0] === 'keys',
    serialize(value, { addRef }) {
      for (const name of (value as string[]).slice(1)) addRef({ place: '', kind: 'key', name });
      return { type: 'keys', bytes: Buffer.from(JSON.stringify(value)) };
    },
    deserialize: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
  });
  return serializers;
}

/** A storage in which a look costs a request, so that attempts have values of their own. */
const bucket = (): MemoryStorage => new MemoryStorage('', { localReads: false });

const openStore = (storage: DataStoreStorage): Promise<FlowDataStore> =>
  openFlow({ storage, serializers: serializersWithRefs() });

let made: Promise<MemoryStorage> | undefined;

/** A store with two tasks; the first has a row of each kind. It is not changed. */
function savedOnce(): Promise<MemoryStorage> {
  made ??= makeStore();
  return made;
}

async function makeStore(): Promise<MemoryStorage> {
  const storage = bucket();
  const flow = await openStore(storage);
  const [blob] = await flow.caStore.saveBlobs([noise(300_000, 6)]);
  const [small, large] = await Promise.all([
    flow.files.fromData('small.bin', noise(2000, 12)),
    flow.files.fromData('large.bin', noise(300_000, 13)),
  ]);
  await saveTask(flow, {
    files: { small, large },
    json: { auc: 0.9 },
    base64: new Map([['a', 1]]),
    bytes: noise(100, 1),
    own: noise(20_000, 2),
    text: 'a text of its own '.repeat(1200),
    single: noise(70_000, 3),
    numbers: new Float64Array(noise(280_000, 4).slice().buffer),
    large: noise(300_000, 5),
    keys: ['keys', blob?.key],
  });
  const others = { own: noise(20_000, 7), single: noise(70_000, 8), large: noise(300_000, 9) };
  await saveTask(flow, others, { taskId: '1' });
  return storage;
}

async function recordIn(storage: DataStoreStorage, name: string): Promise<Fields> {
  return decodeVerifiedRecord(await bodyOf(storage, name), name);
}

/** The store, in which the first task is described by these members, and its DONE vouches for that. */
async function storeWith(before: MemoryStorage, members: Fields): Promise<MemoryStorage> {
  const storage = bucket();
  const metadata = encodeRecord({ ...(await recordIn(before, `${LYING}.metadata.json`)), ...members });
  const done = { ...(await recordIn(before, `${LYING}.DONE`)), metadataDigest: digestHex(metadata) };
  await storage.create(`${LYING}.metadata.json`, metadata);
  await storage.create(`${LYING}.DONE`, encodeRecord(done));
  await mergeInto(storage, before);
  return storage;
}

/** The ways to all members of a row, and to those of its members. */
function waysIn(value: unknown, way: Way = []): Way[] {
  const inner =
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, member]) => waysIn(member, [...way, name]))
      : [];
  return way.length === 0 ? inner : [way, ...inner];
}

function memberAt(row: unknown, way: Way): unknown {
  return way.reduce((value, name) => (value as Fields | undefined)?.[name], row);
}

function withLie(row: Fields, way: Way, lie: unknown): Fields {
  const changed = structuredClone(row);
  const holder = memberAt(changed, way.slice(0, -1)) as Fields;
  const name = way.at(-1) as string;
  if (lie === undefined) delete holder[name];
  else holder[name] = lie;
  return changed;
}

const LIES: unknown[] = [
  ...[undefined, null, true, '', 'x', '../../stowage.json', 'a'.repeat(64), 'AAAA', '!!!!', [], {}, [[]]],
  ...[-1, 0, 1, 0.5, 2 ** 31, 2 ** 32, 10e12, Number.MAX_SAFE_INTEGER, { length: 10e12 }],
  ...['bytes', 'string', 'typed-array', 'msgpack', 'arrow', 'Float64Array', 'BigInt64Array', 'ArrayBuffer'],
];

/** Calls; a lie may have a typed error, and nothing else. */
async function unlessTyped<T>(call: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (!isStowageError(error)) throw error;
    return undefined;
  }
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** Reads the files that a value refers to; their bytes are those of their digests, or are not given. */
async function readFiles(value: unknown): Promise<void> {
  for (const file of Object.values(value ?? {})) {
    if (!(file instanceof FileRef)) continue;
    const read = await unlessTyped(() => collect(file.open()));
    if (read) expect(digestHex(read)).toBe(file.digest);
  }
}

/** Reads whatever a task tells; its bytes are those of its keys, or are not given. */
async function readAll(task: TaskDataStore | undefined): Promise<void> {
  const names = (await unlessTyped(() => task?.names())) ?? [];
  for (const name of names) {
    const one = task as TaskDataStore;
    await unlessTyped(() => one.isNone(name));
    const value = await unlessTyped(() => one.get(name));
    if (name === 'files') await readFiles(value);
    await unlessTyped(() => collect(one.streamArtifact(name, { range: { offset: 1000, length: 50 } })));
    const { inline, key, bytes } = one.info(name);
    const streamed = await unlessTyped(() => collect(one.open(name)));
    if (streamed && !inline) expect([digestHex(streamed), streamed.length]).toEqual([key, bytes]);
  }
  await unlessTyped(() => task?.loadArtifacts());
  await unlessTyped(() => task?.format());
}

/** All that takes artifacts over from a task, by what it is called. */
const TAKING: Record<string, (task: OpenTaskDataStore, from: TaskDataStore) => Promise<unknown>> = {
  clone: (task, from) => task.clone(from),
  passdown: (task, from) => task.passdownPartial(from, from.names()),
  merge: (task, from) => task.mergeArtifacts([from]),
  transfer: (task, from) => task.transferArtifacts(from),
};

/** Uses a store in every way, and expects typed errors, little memory, and nothing of others harmed. */
async function tryEverything(storage: MemoryStorage, how: string): Promise<void> {
  const observed = new ObservedStorage(storage, { localReads: false });
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  observed.before = () => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  };
  const flow = await openStore(observed);
  const task = await unlessTyped(() => flow.getTaskDataStore('r1/fit/0'));
  await readAll(task);
  const take = TAKING[how];
  if (take && task) {
    const into = how === 'transfer' ? await openStore(bucket()) : flow;
    await unlessTyped(() =>
      into.task({ runId: 'r1', stepName: 'next', taskId: '0' }, (next) => take(next, task)),
    );
    await readAll(await unlessTyped(() => into.getTaskDataStore('r1/next/0')));
  }
  if (how === 'prefetch') {
    const prefetch = ['own', 'text', 'single', 'large'];
    const set = await unlessTyped(() => flow.getTaskDataStoreSet({ runId: 'r1', steps: ['fit'], prefetch }));
    for (const one of set ?? []) await readAll(one);
  }
  if (how === 'copy') {
    const target = bucket();
    await unlessTyped(() => copyStore({ from: observed, to: target }));
    if ((await namesOf(target)).length > 0)
      await readAll(await unlessTyped(async () => (await openStore(target)).getTaskDataStore('r1/fit/0')));
  }
  if (how === 'collect') {
    await using content = new ContentAddressedStore(observed);
    await unlessTyped(() => collectGarbage(content));
  }
  const other = await (await openStore(storage)).getTaskDataStore('r1/fit/1');
  expect(Object.values(await other.loadArtifacts()).map((value) => digestHex(value as Uint8Array))).toEqual(
    other.keysForArtifacts(),
  );
  expect((await namesOf(storage)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
  expect(most).toBeLessThan(MOST_BYTES);
}

const WAYS_OF_USE = [...Object.keys(TAKING), 'prefetch', 'copy', 'collect'];

describe('a description that lies, and is vouched for', () => {
  let store: MemoryStorage;
  let rows: Fields[];
  let values: Fields[];
  let honest: Fields[];
  beforeAll(async () => {
    store = await savedOnce();
    const { artifacts, values: objects } = await recordIn(store, `${LYING}.metadata.json`);
    rows = artifacts as Fields[];
    values = objects as Fields[];
    honest = (await recordIn(store, `${HONEST}.metadata.json`)).artifacts as Fields[];
  });

  test.prop(
    [
      fc.nat(),
      fc.nat(),
      fc.nat(),
      fc.constantFrom('any', 'of another row', 'near', 'a name'),
      fc.nat(),
      fc.constantFrom(...WAYS_OF_USE),
    ],
    { numRuns: Math.ceil(propertyRuns / 4) },
  )(
    'in any member of a row, or of what it says of its objects, gives what the key says, or a typed error',
    async (whichRow, whichMember, whichLie, kind, by, how) => {
      const row = [...rows, ...values][whichRow % (rows.length + values.length)] as Fields;
      const ways = waysIn(row);
      const way = ways[whichMember % ways.length] as Way;
      const was = memberAt(row, way);
      const choices = {
        any: LIES,
        'of another row': [...rows, ...honest].map((one) => memberAt(one, way)),
        near: typeof was === 'number' ? [was + (by % 100) - 50] : LIES,
        'a name': await namesOf(store),
      }[kind] as unknown[];
      const lying = withLie(row, way, choices[whichLie % choices.length]);
      const [artifacts, objects] = [rows, values].map((all) => all.map((one) => (one === row ? lying : one)));
      await tryEverything(await storeWith(store, { artifacts, values: objects }), how);
    },
  );

  test.prop(
    [fc.nat(), fc.nat(), fc.constantFrom('of another content', 'another table', ...LIES.map((_, i) => i))],
    { numRuns: Math.ceil(propertyRuns / 6) },
  )(
    'in the table that it moved into content gives nothing, or a typed error',
    async (whichMember, whichLie, kind) => {
      const storage = bucket();
      await mergeInto(storage, store);
      const content = new ContentAddressedStore(storage);
      const tables = [
        encodeTable({ artifacts: [] }),
        // A table that is somewhere else again, and so on for ever.
        encodeRecord({ format: 1, kind: 'artifact-table', table: { key: 'a'.repeat(64), bytes: 10e12 } }),
        encodeRecord({ format: 1, kind: 'artifact-table', artifacts: [{ name: 'x' }] }),
        noise(300_000, 11),
      ];
      const saved = await content.saveBlobs(tables);
      const { session, ...table } = saved[whichLie % saved.length] as (typeof saved)[number];
      const ways = waysIn(table);
      const way = ways[whichMember % ways.length] as Way;
      const swapped = (whichLie + 1) % saved.length;
      const lie = typeof kind === 'number' ? LIES[kind] : memberAt(saved[swapped], way);
      const lying = kind === 'another table' ? table : withLie({ ...table }, way, lie);
      const lied = await storeWith(storage, { artifacts: undefined, table: lying });
      await tryEverything(lied, WAYS_OF_USE[whichLie % WAYS_OF_USE.length] as string);
    },
  );

  test.prop([fc.array(fc.tuple(fc.nat(45_000), fc.nat(45_000)), { minLength: 2, maxLength: 4 })], {
    numRuns: Math.ceil(propertyRuns / 10),
  })('of where its own values lie, so that they overlap, harms none beside them', async (spans) => {
    const own = rows.filter((row) => row.own).map((row) => row.own as Fields);
    const artifacts = rows.map((row) => {
      const [offset, storedBytes] = spans[rows.indexOf(row) % spans.length] as [number, number];
      return row.name === 'text' ? { ...row, own: { ...own[0], offset, storedBytes } } : row;
    });
    const task = await (await openStore(await storeWith(store, { artifacts }))).getTaskDataStore('r1/fit/0');
    await readAll(task);
    expect(digestHex(await task.get('own'))).toBe(digestHex(noise(20_000, 2)));
  });
});

/** An envelope whose header tells other lengths, and is whole as such. */
function withLengths(
  envelope: Uint8Array,
  { codec, rawBytes, storedBytes }: { codec: number; rawBytes: number; storedBytes?: number },
): Uint8Array {
  const changed = new Uint8Array(envelope);
  const view = new DataView(changed.buffer);
  view.setUint8(14, codec);
  view.setBigUint64(24, BigInt(rawBytes), true);
  if (storedBytes !== undefined) view.setBigUint64(32, BigInt(storedBytes), true);
  const digest = Buffer.from(digestHex(changed.subarray(0, 40)), 'hex');
  changed.set(digest.subarray(0, 8), 40);
  return changed;
}

describe('an object of small values, or a copy of a small content,', () => {
  const HOW: Record<string, (body: Uint8Array, of: number, another: Uint8Array) => Uint8Array | undefined> = {
    'is missing': () => undefined,
    'is empty': () => new Uint8Array(0),
    'is cut short': (body, of) => body.slice(0, of % body.length),
    'has a body of another attempt': (_, __, another) => another,
    'claims 10 TB': (body) => withLengths(body, { codec: 1, rawBytes: 10e12 }),
    'claims 10 TB, raw': (body) => withLengths(body, { codec: 0, rawBytes: 10e12, storedBytes: 10e12 }),
    'claims 16 MiB': (body) => withLengths(body, { codec: 1, rawBytes: 16 * MIB }),
  };

  test('is not unpacked for a row of fewer bytes', async () => {
    const before = await savedOnce();
    await prepareCodec();
    const bomb = sealEnvelope('blob', new Uint8Array(16 * MIB), { compression: { codec: 'zstd', level: 1 } });
    const artifacts = ((await recordIn(before, `${LYING}.metadata.json`)).artifacts as Fields[]).flatMap(
      (row) => {
        const own =
          row.name === 'own' ? { ...(row.own as Fields), offset: 0, storedBytes: bomb.length } : undefined;
        // Each under another key, so that each is read.
        return own
          ? Array.from({ length: 500 }, (_, i) => ({
              ...row,
              name: `own${i}`,
              key: digestHex(Buffer.from([i])),
              own,
            }))
          : [];
      },
    );
    const storage = await storeWith(before, { artifacts });
    const [name] = (await namesOf(storage, 'values/Test/r1/fit/0/')) as [string];
    await storage.delete([name]);
    await storage.create(name, bomb);
    const task = await (await openStore(storage)).getTaskDataStore('r1/fit/0');
    const started = process.memoryUsage().arrayBuffers;
    await expect(task.loadArtifacts()).rejects.toSatisfy((error) => isStowageError(error, 'CONTENT_DAMAGED'));
    expect(process.memoryUsage().arrayBuffers - started).toBeLessThan(16 * MIB);
  });

  test.prop([fc.constantFrom(...Object.keys(HOW)), fc.constantFrom('values', 'data'), fc.nat()], {
    numRuns: Math.ceil(propertyRuns / 4),
  })('that is not what rows say is a typed error, and nothing of it is given', async (how, folder, of) => {
    const before = await makeStore();
    const prefix = folder === 'values' ? 'values/Test/r1/fit/' : 'data/';
    const [name, another] = (await namesOf(before, prefix)) as [string, string];
    const body = await bodyOf(before, name);
    const changed = HOW[how]?.(body, of, await bodyOf(before, another));
    await before.delete([name]);
    if (changed) await before.create(name, changed);
    for (const taskId of ['0', '1']) {
      const task = await (await openStore(before)).getTaskDataStore(`r1/fit/${taskId}`);
      await readAll(task);
    }
  });
});
