import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENVELOPE_HEADER_BYTES, sealEnvelope } from '../../src/codec/envelope.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import {
  copyName,
  copyPrefix,
  damagedMarkOf,
  packName,
  parseCopyName,
} from '../../src/format/content-names.ts';
import { decodeHint, encodeHint, type HintedManifest, sampleOf } from '../../src/format/hint.ts';
import {
  type ChunkColumns,
  type ChunkGroup,
  encodeGroup,
  encodeManifest,
  groupRoot,
  manifestRoot,
} from '../../src/format/manifest.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { chunksIn } from '../../src/streams/chunk-stream.ts';
import { objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { contentOf, KIB, streamOf } from './contents.ts';
import { bodyOf, manifestIn, ObservedStorage, onlyName, withFlippedBit } from './storages.ts';

const HINT = 'hints/Test/fit.json';
const SUBJECT = { flow: 'Test', step: 'fit' };
const network = (): MemoryStorage => new MemoryStorage('', { localReads: false });

type Form = 'bytes' | 'floats' | 'stream';

/** Saves a content as another process does, which knows nothing yet. */
async function saveElsewhere(
  storage: DataStoreStorage,
  content: Uint8Array,
  taskId: string,
  form: Form = 'bytes',
  stepName = 'fit',
): Promise<void> {
  const flow = await openFlow({ storage, compression: 'none' });
  await saveIn(flow, content, taskId, form, stepName);
  await flow.close();
}

async function saveIn(
  flow: FlowDataStore,
  content: Uint8Array,
  taskId: string,
  form: Form = 'bytes',
  stepName = 'fit',
): Promise<void> {
  await flow.task({ runId: 'r1', stepName, taskId }, async (task) => {
    if (form === 'stream')
      await task.saveArtifactStream('content', streamOf(content, { lengths: [70_001], reused: true }));
    else if (form === 'floats')
      await task.saveArtifacts({ content: new Float32Array(Uint8Array.from(content).buffer) });
    else await task.saveArtifacts({ content });
  });
}

async function loaded(storage: DataStoreStorage, taskId: string, stepName = 'fit'): Promise<string> {
  const flow = await openFlow({ storage });
  const task = await flow.getTaskDataStore(`r1/${stepName}/${taskId}`);
  const { content } = await task.loadArtifacts<{ content: Uint8Array | Float32Array }>();
  return digestHex(new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
}

async function packBytes(storage: DataStoreStorage): Promise<number> {
  let bytes = 0;
  for await (const page of storage.list({ prefix: 'packs/', details: true }))
    for (const object of page.objects) bytes += object.bytes ?? 0;
  return bytes;
}

/** What the chunks of a content take that are not among those of others. */
async function newChunkBytes(content: Uint8Array, others: readonly Uint8Array[]): Promise<number> {
  const stored = new Set<string>();
  for (const other of others) for (const chunk of chunksIn(other)) stored.add(digestHex(chunk));
  let bytes = 0;
  for (const chunk of chunksIn(content)) {
    const digest = digestHex(chunk);
    if (stored.has(digest)) continue;
    stored.add(digest);
    bytes += chunk.length + ENVELOPE_HEADER_BYTES;
  }
  return bytes;
}

interface Edit {
  at: number;
  removed: number;
  added: number;
  seed: number;
}

/** A multiple of four bytes, as floats are. */
function edited(content: Uint8Array, { at, removed, added, seed }: Edit): Uint8Array {
  const start = Math.floor((at * content.length) / 4000) * 4;
  return Buffer.concat([
    content.subarray(0, start),
    contentOf(added * 4, seed),
    content.subarray(start + removed * 4),
  ]);
}

const anyEdit = fc.record({
  at: fc.nat(1000),
  removed: fc.constantFrom(0, 1, 3000),
  added: fc.constantFrom(0, 1, 1024, 60_000),
  seed: fc.integer({ min: 100, max: 200 }),
});
const anyForm = fc.constantFrom<Form>('bytes', 'floats', 'stream');

describe('content that is nearly equal to what other processes saved', () => {
  test.prop(
    [fc.array(anyEdit, { minLength: 1, maxLength: 3 }), fc.array(anyForm, { minLength: 4 }), fc.boolean()],
    {
      numRuns: Math.ceil(propertyRuns / 8),
    },
  )('costs exactly its new chunks, whatever form it comes in', async (edits, forms, localReads) => {
    const storage = new MemoryStorage('', { localReads });
    const contents = [contentOf(1200 * KIB)];
    for (const edit of edits) contents.push(edited(contents.at(-1) as Uint8Array, edit));
    for (const [i, content] of contents.entries()) {
      const before = await packBytes(storage);
      await saveElsewhere(storage, content, `${i}`, forms[i]);
      const expected = await newChunkBytes(content, contents.slice(0, i));
      expect((await packBytes(storage)) - before).toBe(expected);
    }
    for (const [i, content] of contents.entries())
      expect(await loaded(storage, `${i}`)).toBe(digestHex(content));
  });

  it('is found in a folder', async () => {
    const folder = scratchFolder();
    const content = contentOf(1200 * KIB);
    const changed = edited(content, { at: 300, removed: 0, added: 1024, seed: 7 });
    const storage = async () => (await openFlow({ storage: folder })).storage;
    const save = async (bytes: Uint8Array, taskId: string) => {
      const flow = await openFlow({ storage: folder, compression: 'none' });
      await saveIn(flow, bytes, taskId);
      await flow.close();
    };
    await save(content, '0');
    const before = await packBytes(await storage());
    await save(changed, '1');
    expect((await packBytes(await storage())) - before).toBe(await newChunkBytes(changed, [content]));
  });

  it('is found at another place, and only there', async () => {
    const [folder, place] = [scratchFolder(), scratchFolder()];
    const content = contentOf(1200 * KIB);
    const changed = edited(content, { at: 300, removed: 0, added: 1024, seed: 7 });
    const save = async (bytes: Uint8Array, taskId: string, rawDataPath?: string) => {
      await using flow = await openFlow({ storage: folder, compression: 'none' });
      await flow.task({ runId: 'r1', stepName: 'fit', taskId, rawDataPath }, (task) =>
        task.saveArtifacts({ content: bytes }),
      );
      return (await flow.getTaskDataStore(`r1/fit/${taskId}`)).info('content').storedBytes;
    };
    await save(content, '0', place);
    await save(changed, '1', place);
    await using flow = await openFlow({ storage: folder });
    expect(await packBytes(flow.storage)).toBe(0);
    const at = await openFlow({ storage: place });
    const packs = (await objectNames(at.storage)).filter((name) => name.includes('/packs/'));
    expect(packs).toHaveLength(2);
    await save(changed, '2');
    expect(await packBytes(flow.storage)).toBe(await newChunkBytes(changed, []));
  });

  it('costs nine requests more than its packs where it is new, and five more where it is nearly equal', async () => {
    const inner = network();
    const requests = async (content: Uint8Array, taskId: string): Promise<string[]> => {
      const storage = new ObservedStorage(inner, { localReads: false });
      const flow = await openFlow({ storage, compression: 'none' });
      const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId, attempt: 0 });
      storage.calls.length = 1; // what opening a store and a run takes is left out
      storage.calls[0] = 'create attempt';
      await task.saveArtifacts({ content });
      await task.done();
      return storage.calls.map((call) => call.replace(/^(\w+) (\w+)\b.*$/, '$1 $2'));
    };
    const content = contentOf(600 * KIB);
    const [create, close] = [
      ['create attempt', 'create pins', 'get gc', 'list manifests'],
      ['create manifests', 'create flows', 'create flows'],
    ];
    expect(await requests(content, '0')).toEqual([
      ...create,
      'get hints',
      'create packs',
      ...close,
      'create hints',
    ]);
    // A hint is not asked where the whole content is found.
    expect(await requests(content, '1')).toEqual([
      ...create,
      'get manifests',
      'list packs',
      'create flows',
      'create flows',
    ]);
    const changed = edited(content, { at: 500, removed: 0, added: 1024, seed: 7 });
    expect(await requests(changed, '2')).toEqual([
      ...create,
      'get hints',
      'list manifests',
      'get manifests',
      'create pins',
      'get gc',
      'list packs',
      'create packs',
      ...close,
      'overwrite hints',
    ]);
    // One that shares nothing reads no manifest.
    expect(await requests(contentOf(600 * KIB, 9), '3')).toEqual([
      ...create,
      'get hints',
      'create packs',
      ...close,
      'overwrite hints',
    ]);
  });

  it('is not looked for by cached tasks, nor outside tasks', async () => {
    const storage = new ObservedStorage(network(), { localReads: false });
    await using flow = await openFlow({ storage });
    const large = flow.cachedTask({ name: 'large', version: '1', run: () => contentOf(600 * KIB) });
    await large();
    await flow.caStore.saveBlobs([contentOf(600 * KIB, 2)]);
    expect(storage.calls.filter((call) => call.includes('hints/'))).toEqual([]);
  });

  it('is not hinted at before its attempt is closed', async () => {
    const storage = network();
    await using flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await task.saveArtifacts({ content: contentOf(600 * KIB) });
    expect(await storage.get(HINT)).toBeUndefined();
    await task.fail(new Error('but saved'));
    expect(await manifestsHinted(storage)).toHaveLength(1);
  });
});

async function manifestsHinted(storage: DataStoreStorage): Promise<string[]> {
  return decodeHint(await bodyOf(storage, HINT), HINT, SUBJECT).map(({ copy }) => copy);
}

/** A store in which one process saved a content, and what an edit of it takes where all hints are right. */
async function storeWith(content: Uint8Array, changed: Uint8Array) {
  const storage = network();
  await saveElsewhere(storage, content, '0');
  return { storage, least: await newChunkBytes(changed, [content]) };
}

const [CONTENT, CHANGED] = [
  contentOf(600 * KIB),
  edited(contentOf(600 * KIB), { at: 300, removed: 0, added: 1024, seed: 7 }),
];

/** What others may have put there, by mistake or on purpose. */
const LIES: Record<string, (storage: MemoryStorage) => Promise<Uint8Array>> = {
  'of a manifest of another store': async () => {
    const other = network();
    await saveElsewhere(other, CONTENT, '0');
    return bodyOf(other, HINT);
  },
  'of a copy with another key': async (storage) =>
    relabelled(storage, (copy) =>
      copy.replaceAll(/[0-9a-f]{64}/g, (key) => `${key.slice(0, 3)}${'0'.repeat(61)}`),
    ),
  'of a copy of 10 TB': async (storage) =>
    relabelled(storage, (copy) => copy.replace(/\d+$/, '10000000000000')),
  'of a manifest that shares nothing': async (storage) => {
    await saveElsewhere(storage, contentOf(600 * KIB, 5), 'other', 'bytes', 'elsewhere');
    const [copy] = decodeHint(await bodyOf(storage, 'hints/Test/elsewhere.json'), HINT, {
      flow: 'Test',
      step: 'elsewhere',
    }).map((manifest) => manifest.copy);
    return relabelled(storage, () => copy as string);
  },
  'of groups that the manifest does not have': async (storage) => {
    const [manifest] = decodeHint(await bodyOf(storage, HINT), HINT, SUBJECT) as [HintedManifest];
    return encodeHint(SUBJECT, [{ ...manifest, samples: [new Uint8Array(0), ...manifest.samples] }]);
  },
  'of a locator': async (storage) => {
    await using flow = await openFlow({ storage });
    const [saved] = await flow.saveData([{ name: 'x.bin', data: contentOf(600 * KIB, 5) }]);
    return relabelled(storage, () => saved?.copy as string);
  },
  'of a thousand manifests that are not there': async (storage) => {
    const [manifest] = decodeHint(await bodyOf(storage, HINT), HINT, SUBJECT) as [HintedManifest];
    const gone = Array.from({ length: 1000 }, (_, i) => ({
      ...manifest,
      copy: manifest.copy.replace(/-\d{8}\./, `-${String(i + 10).padStart(8, '0')}.`),
    }));
    return encodeHint(SUBJECT, gone);
  },
  'that is no record': async () => Buffer.from('[]'),
  'that is empty': async () => new Uint8Array(0),
};

async function relabelled(storage: DataStoreStorage, rename: (copy: string) => string): Promise<Uint8Array> {
  const manifests = decodeHint(await bodyOf(storage, HINT), HINT, SUBJECT);
  return encodeHint(
    SUBJECT,
    manifests.map((manifest) => ({ ...manifest, copy: rename(manifest.copy) })),
  );
}

describe('a hint that lies', () => {
  it.each(Object.entries(LIES))('does no harm: one %s', async (_title, lie) => {
    const { storage } = await storeWith(CONTENT, CHANGED);
    await storage.overwrite(HINT, await lie(storage));
    const observed = new ObservedStorage(storage, { localReads: false });
    await saveElsewhere(observed, CHANGED, '1');
    expect(await loaded(storage, '1')).toBe(digestHex(CHANGED));
    expect(await loaded(storage, '0')).toBe(digestHex(CONTENT));
    // The requests that it costs are bounded, and others are led right by what is written then.
    expect(observed.calls.length).toBeLessThan(60);
    expect((await manifestsHinted(storage)).length).toBeGreaterThan(0);
    const again = edited(CHANGED, { at: 600, removed: 1, added: 0, seed: 1 });
    const before = await packBytes(storage);
    await saveElsewhere(storage, again, '2');
    expect((await packBytes(storage)) - before).toBeLessThanOrEqual(await newChunkBytes(again, [CHANGED]));
  });

  test.prop([fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 4 }), fc.boolean()], {
    numRuns: Math.ceil(propertyRuns / 5),
  })('does no harm, whatever bytes it has, its digest right or wrong', async (changes, isSealed) => {
    const { storage } = await storeWith(CONTENT, CHANGED);
    const body = Buffer.from(await bodyOf(storage, HINT));
    for (const [at, byte] of changes) body[at % (body.length - 77)] = byte;
    const tail = `,"digest":"${digestHex(body.subarray(0, -77))}"}`;
    if (isSealed) body.write(tail, body.length - 77, 'latin1');
    await storage.overwrite(HINT, body);
    await saveElsewhere(storage, CHANGED, '1');
    expect(await loaded(storage, '1')).toBe(digestHex(CHANGED));
  });
});

describe('what a hint leads to', () => {
  it('is not reused once a pack of it was found damaged, nor once the copy was', async () => {
    for (const folder of ['packs', 'manifests']) {
      const { storage } = await storeWith(CONTENT, CHANGED);
      const name = await onlyName(storage, `${folder}/`);
      await storage.create(damagedMarkOf(name), new Uint8Array(0));
      const before = await packBytes(storage);
      await saveElsewhere(storage, CHANGED, '1');
      expect((await packBytes(storage)) - before).toBe(await newChunkBytes(CHANGED, []));
      // Others are not led there again.
      expect(await manifestsHinted(storage)).toEqual([await copyOf(storage, '1')]);
    }
  });

  it('is marked where it is damaged, and saved anew', async () => {
    const { storage } = await storeWith(CONTENT, CHANGED);
    const name = await onlyName(storage, 'manifests/');
    const body = await bodyOf(storage, name);
    await storage.overwrite(name, withFlippedBit(body, 8 * (body.length - 40)));
    await saveElsewhere(storage, CHANGED, '1');
    expect(await storage.get(damagedMarkOf(name))).toBeDefined();
    expect(await loaded(storage, '1')).toBe(digestHex(CHANGED));
  });

  it('costs a save nothing but its reuse where it cannot be read', async () => {
    const { storage } = await storeWith(CONTENT, CHANGED);
    const manifest = await onlyName(storage, 'manifests/');
    const faulty = new FaultStorage(storage, (operation, name) =>
      operation === 'get' && name === manifest ? { kind: 'before' } : undefined,
    );
    await saveElsewhere(faulty, CHANGED, '1');
    expect(await loaded(storage, '1')).toBe(digestHex(CHANGED));
  });

  it('is passed over for an older one where the newest is gone', async () => {
    const { storage, least } = await storeWith(CONTENT, CHANGED);
    const [mine] = decodeHint(await bodyOf(storage, HINT), HINT, SUBJECT) as [HintedManifest];
    const gone = { ...mine, copy: mine.copy.replace(/-\d{8}\./, '-00000099.') };
    await storage.overwrite(HINT, encodeHint(SUBJECT, [gone, mine]));
    const before = await packBytes(storage);
    await saveElsewhere(storage, CHANGED, '1');
    expect((await packBytes(storage)) - before).toBe(least);
    expect(await manifestsHinted(storage)).not.toContain(gone.copy);
  });

  it('is one group of a content that has many: only the groups are read that are needed', async () => {
    const storage = network();
    const content = contentOf(1200 * KIB);
    await saveElsewhere(storage, content, '0');
    const { copy, packs, groups } = await splitIntoGroups(storage, await copyOf(storage, '0'));
    const half = content.subarray(800 * KIB);
    const least = await newChunkBytes(half, [content]);
    const observed = new ObservedStorage(storage, { localReads: false });
    const before = await packBytes(storage);
    await saveElsewhere(observed, half, '1');
    expect((await packBytes(storage)) - before).toBe(least);
    expect(observed.calls.filter((call) => call === `get ${copy}`)).toHaveLength(1);
    const reads = observed.calls.filter((call) => packs.includes(call.replace('get ', '')));
    expect(reads.length).toBeGreaterThan(0);
    expect(reads.length).toBeLessThan(groups);
    expect(await loaded(storage, '1')).toBe(digestHex(half));
  });
});

/** Has the hint name a manifest of the same chunks, in groups of up to four whose columns lie in a pack, in place of `copy`. */
async function splitIntoGroups(
  storage: DataStoreStorage,
  copy: string,
): Promise<{ copy: string; packs: string[]; groups: number }> {
  const key = parseCopyName(copy)?.key as string;
  const manifest = await manifestIn(storage, { key, copy } as StoredContent);
  const columns = manifest.groups[0]?.columns as ChunkColumns;
  const session = newSessionId();
  const sealed: Uint8Array[] = [];
  const groups: ChunkGroup[] = [];
  const samples: Uint8Array[] = [];
  let offset = 0;
  for (let start = 0; start < columns.lengths.length; start += 4) {
    const part = (column: Uint32Array): Uint32Array => column.slice(start, start + 4);
    const digests = columns.digests.slice(start * 32, (start + 4) * 32);
    const group = {
      digests,
      lengths: part(columns.lengths),
      packs: part(columns.packs),
      offsets: part(columns.offsets),
      storedBytes: part(columns.storedBytes),
    };
    const body = sealEnvelope('group', encodeGroup(group), { compression: 'none' });
    groups.push({
      chunks: group.lengths.length,
      bytes: group.lengths.reduce((sum, length) => sum + length, 0),
      root: groupRoot(group.digests, group.lengths),
      columns: undefined,
      at: { pack: manifest.packs.length, offset, storedBytes: body.length },
    });
    samples.push(sampleOf(Array.from(group.lengths, (_, i) => digests.subarray(i * 32, i * 32 + 32))));
    sealed.push(body);
    offset += body.length;
  }
  const pack = { name: packName(session, 0), bytes: offset };
  const packs = [...manifest.packs, pack];
  const root = manifestRoot(manifest.chunker, groups);
  const body = sealEnvelope('manifest', encodeManifest({ ...manifest, root, packs, groups }), {
    compression: 'none',
  });
  const name = copyName('manifests', key, session, 1, body.length);
  await storage.create(pack.name, Buffer.concat(sealed));
  await storage.create(name, body);
  await storage.overwrite(HINT, encodeHint(SUBJECT, [{ copy: name, place: '', samples }]));
  return { copy: name, packs: [pack.name], groups: groups.length };
}

/** The copy of a content that a task saved, where there is one. */
async function copyOf(storage: DataStoreStorage, taskId: string): Promise<string> {
  const flow = await openFlow({ storage });
  const { key } = (await flow.getTaskDataStore(`r1/fit/${taskId}`)).info('content');
  return onlyName(storage, copyPrefix('manifests', key));
}
