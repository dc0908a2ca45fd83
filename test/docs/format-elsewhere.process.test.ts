import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import vector from '../../docs/format-vectors/elsewhere.json' with { type: 'json' };
import { digestHex } from '../../src/digest/blake3.ts';
import { decodeDescription, encodeDescription } from '../../src/format/description.ts';
import {
  decodePlace,
  decodePlaceOwner,
  encodePlace,
  encodePlaceOwner,
  isPlaceId,
  placeIdOf,
  placePrefix,
  placeRecordName,
} from '../../src/format/place-records.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { findPython } from './python.ts';
import { bytesOf, inFolder } from './vector-objects.ts';

const { expected, ids } = vector;
const home = bytesOf(vector.objects);
const there = bytesOf(vector.placeObjects);
const storeId = decodeRecord(home.get('stowage.json') as Uint8Array, 'stowage.json').storeId as string;
const text = expected.text.line.repeat(expected.text.times);

async function inMemory(objects: ReadonlyMap<string, Uint8Array>): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  for (const [name, bytes] of objects) await storage.create(name, bytes);
  return storage;
}

/** The members of a record without what differs each time. */
const shapeOf = (bytes: Uint8Array) => ({ ...decodeRecord(bytes, 'a record'), createdAt: '' });

describe('elsewhere.json', () => {
  it('is read where openPlace finds the place', async () => {
    const raw = await inMemory(there);
    const asked: string[] = [];
    const openPlace = (uri: string) => {
      asked.push(uri);
      return raw;
    };
    const flow = await openFlow({ flowName: expected.flow, storage: await inMemory(home), openPlace });
    const task = await flow.getTaskDataStore(expected.pathspec);
    expect(await task.loadArtifacts(['text', 'note'])).toEqual({ text, note: expected.note });
    const { buffer } = await task.get<Int32Array>('weights');
    expect(digestHex(new Uint8Array(buffer))).toBe(expected.weights.key);
    expect(task.info('weights')).toMatchObject({ ...expected.weights, place: expected.place });
    const { key, text: plain } = expected.plain;
    for await (const { blob } of flow.caStore.loadBlobs([{ key, place: expected.place }]))
      expect(Buffer.from(blob).toString()).toBe(plain);
    expect(asked).toEqual([expected.uri]);
    expect((await flow.run(expected.run).info()).rawDataPath).toBe(expected.uri);
    expect(await flow.caStore.places()).toEqual([{ id: expected.place, uri: expected.uri }]);
  });

  test.each(ids)('$identity has the id $place', ({ identity, place }) => {
    expect(placeIdOf(identity)).toBe(place);
    expect(isPlaceId(place)).toBe(true);
  });

  it('holds the records that the code writes', async () => {
    const { place, uri } = expected;
    const registered = home.get(placeRecordName(place)) as Uint8Array;
    expect(decodePlace(registered, 'place')).toEqual({ place, uri, names: 'exact' });
    expect(shapeOf(encodePlace(decodePlace(registered, 'place')))).toEqual(shapeOf(registered));
    const owner = there.get(`${placePrefix(storeId, place)}/owner.json`) as Uint8Array;
    expect(decodePlaceOwner(owner, 'owner')).toMatchObject({ place, storeId });
    expect(shapeOf(encodePlaceOwner(decodePlaceOwner(owner, 'owner')))).toEqual(shapeOf(owner));
    for (const [name, bytes] of [...home, ...there]) {
      if (!/json$|DONE$|^pins/.test(name)) continue;
      expect(encodeRecord(decodeRecord(bytes, name))).toEqual(bytes);
    }
    for (const name of await objectNames(await inMemory(there)))
      expect(name.startsWith(`${placePrefix(storeId, place)}/`)).toBe(true);
  });

  it('holds rows that name the place, and none where they are inline', () => {
    const name = `flows/${expected.flow}/${expected.pathspec}/0.metadata.json`;
    const bytes = home.get(name) as Uint8Array;
    const { table, ...description } = decodeDescription(bytes, name, {});
    const rows = typeof table === 'function' ? table() : { artifacts: [] };
    expect(rows.artifacts.map(({ name: artifact, content }) => [artifact, content?.place])).toEqual([
      ['weights', expected.place],
      ['text', expected.place],
      ['note', undefined],
    ]);
    const { flow, run, step, task, attempt } = decodeRecord(bytes, name);
    const subject = { flow, run, step, task, attempt } as Parameters<typeof encodeDescription>[0]['subject'];
    expect(Buffer.from(encodeDescription({ ...description, table: rows, subject }))).toEqual(
      Buffer.from(bytes),
    );
  });

  const python = findPython();
  it.skipIf(python === undefined)('is read by docs/format-reader.py from folders', () => {
    const folder = scratchFolder();
    const [store, raw] = [join(folder, 'store'), join(folder, 'raw')];
    const name = placeRecordName(expected.place);
    const record = decodeRecord(home.get(name) as Uint8Array, name);
    inFolder(store, new Map([...home, [name, encodeRecord({ ...record, uri: pathToFileURL(raw).href })]]));
    inFolder(raw, there);
    const reader = join(import.meta.dirname, '../../docs/format-reader.py');
    const read = () =>
      spawnSync(python as string, [reader, store, expected.flow, expected.pathspec], { encoding: 'utf8' });
    const { stdout, stderr } = read();
    expect(stderr).toBe('');
    const { type, bytes, key } = expected.weights;
    expect(JSON.parse(stdout)).toMatchObject({
      artifacts: { text, note: expected.note, weights: { $: type, bytes, blake3: key } },
    });
    const owner = `${placePrefix(storeId, expected.place)}/owner.json`;
    const other = decodeRecord(there.get(owner) as Uint8Array, owner);
    writeFileSync(join(raw, owner), encodeRecord({ ...other, storeId: '0'.repeat(26) }));
    expect(read().stderr).toContain('of another store');
  });
});
