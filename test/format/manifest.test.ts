import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { sealEnvelope } from '../../src/codec/envelope.ts';
import { prepareCodec } from '../../src/codec/zstd.ts';
import { digestBytes, digestHex } from '../../src/digest/blake3.ts';
import { isStowageError } from '../../src/errors.ts';
import { copyName, packName } from '../../src/format/content-names.ts';
import {
  type ChunkColumns,
  type ChunkGroup,
  columnsToBytes,
  decodeColumns,
  decodeManifest,
  encodeManifest,
  GROUP_CHUNKS,
  groupRoot,
  type Manifest,
  manifestRoot,
  packsOf,
} from '../../src/format/manifest.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf } from '../content/contents.ts';
import { codeOf, freshStore, namesOf, withFlippedBit } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';

await prepareCodec();

const session = newSessionId();
const key = digestHex(Buffer.from('a content'));

/** A group of `chunks` chunks of one length each, in the first of `packs`. */
function groupOf(chunks: number, seed: number, length = 20_000): ChunkGroup {
  const columns: ChunkColumns = {
    digests: contentOf(chunks * 32, seed),
    lengths: new Uint32Array(chunks).fill(length),
    packs: new Uint32Array(chunks),
    offsets: Uint32Array.from({ length: chunks }, (_, i) => (i % 100) * 1000),
    storedBytes: new Uint32Array(chunks).fill(1000),
  };
  const root = groupRoot(columns.digests, columns.lengths);
  return { chunks, bytes: chunks * length, root, columns, at: undefined };
}

function manifestOf(groups: ChunkGroup[]): Manifest {
  const bytes = groups.reduce((total, group) => total + group.bytes, 0);
  return {
    key,
    chunker: 'gear-1',
    bytes,
    root: manifestRoot('gear-1', groups),
    storedBytes: bytes,
    packs: [
      { name: packName(session, 0), bytes: 200_000 },
      { name: packName(session, 7), bytes: 64 << 20 },
    ],
    groups,
  };
}

/** Groups as those of several are: their columns lie in a pack. */
function packed(group: ChunkGroup, offset: number): ChunkGroup {
  return { ...group, columns: undefined, at: { pack: 1, offset, storedBytes: 5000 } };
}

const signed = (fields: unknown): Uint8Array => {
  const body = fields instanceof Uint8Array ? fields : encode(fields);
  return Buffer.concat([body, digestBytes(body)]);
};

/** With bytes as text, for a Buffer does not equal a Uint8Array. */
function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

const isDamaged = (call: () => unknown): void => {
  expect(call).toThrow(expect.toSatisfy((error) => isStowageError(error, 'CONTENT_DAMAGED')));
};

describe('a manifest is read as it was written', () => {
  test.prop([fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }), fc.boolean()], {
    numRuns: propertyRuns,
  })('with columns of its own, or of groups in packs', (chunks, inPacks) => {
    const groups = chunks.map((n, i) => {
      const group = groupOf(n, i + 1);
      return inPacks ? packed(group, i * 5000) : group;
    });
    const manifest = manifestOf(groups);
    const read = decodeManifest(encodeManifest(manifest), key, 'm');
    expect(plain(read)).toEqual(plain(manifest));
    expect(packsOf(read)).toEqual(manifest.packs.map(({ name }) => name));
  });

  test('16,384 groups of 8192 chunks, the most that a content may have', () => {
    const group = groupOf(GROUP_CHUNKS, 1, 65_536);
    const groups = Array.from({ length: 16_384 }, (_, i) => packed(group, i * 1000));
    const raw = encodeManifest(manifestOf(groups));
    expect(raw.length).toBeLessThan(16 << 20);
    expect(decodeManifest(raw, key, 'm').groups).toHaveLength(16_384);
  });

  test('the root depends on chunks and lengths, and on no pack', () => {
    const group = groupOf(3, 1);
    const { columns } = group as { columns: ChunkColumns };
    const moved = { ...group, columns: { ...columns, packs: new Uint32Array(3).fill(1) } };
    expect(manifestOf([moved]).root).toBe(manifestOf([group]).root);
    expect(manifestOf([groupOf(3, 2)]).root).not.toBe(manifestOf([group]).root);
    expect(manifestOf([groupOf(3, 1, 20_001)]).root).not.toBe(manifestOf([group]).root);
    expect(manifestRoot('gear-2', [group])).not.toBe(manifestRoot('gear-1', [group]));
    expect(manifestOf([groupOf(2, 1), groupOf(1, 5)]).root).not.toBe(
      manifestOf([groupOf(1, 1), groupOf(2, 5)]).root,
    );
  });
});

describe('damage is seen', () => {
  const raw = encodeManifest(manifestOf([groupOf(3, 1)]));
  const inPacks = encodeManifest(manifestOf([packed(groupOf(3, 1), 0), packed(groupOf(4, 2), 5000)]));

  test.each([
    ['columns of its own', raw],
    ['groups in packs', inPacks],
  ])('in every bit and at every length, with %s', (_, bytes) => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      isDamaged(() => decodeManifest(withFlippedBit(bytes, bit), key, 'm'));
    }
    for (let length = 0; length < bytes.length; length++) {
      isDamaged(() => decodeManifest(bytes.subarray(0, length), key, 'm'));
    }
    isDamaged(() => decodeManifest(Buffer.concat([bytes, Buffer.alloc(1)]), key, 'm'));
  });

  test('in every length of a group’s columns', () => {
    const group = groupOf(3, 1);
    const columns = columnsToBytes(group.columns as ChunkColumns);
    const { packs } = manifestOf([group]);
    expect(plain(decodeColumns(columns, group, packs, 'm'))).toEqual(plain(group.columns));
    for (let length = 0; length < columns.length; length++) {
      isDamaged(() => decodeColumns(columns.subarray(0, length), group, packs, 'm'));
    }
  });
});

describe('a hostile manifest, with a good digest', () => {
  type Fields = Record<string, unknown> & { groups: unknown[][]; packs: unknown[][] };
  const fieldsOf = (manifest: Manifest): Fields => {
    const raw = encodeManifest(manifest);
    return decode(raw.subarray(0, raw.length - 32)) as Fields;
  };
  const columnsWith = (change: (columns: ChunkColumns) => void, chunks = 3): Manifest => {
    const { columns } = groupOf(chunks, 1) as { columns: ChunkColumns };
    change(columns);
    const root = groupRoot(columns.digests, columns.lengths);
    const bytes = columns.lengths.reduce((total, length) => total + length, 0);
    return manifestOf([{ chunks, bytes, root, columns, at: undefined }]);
  };

  test.each<[string, (fields: Fields) => unknown]>([
    ['is a list', () => [1, 2]],
    ['is a number', () => 5],
    ['is text', () => 'manifest'],
    ['has version 0', (fields) => ({ ...fields, v: 0 })],
    ['has a version that is text', (fields) => ({ ...fields, v: '1' })],
    ['has no chunker', (fields) => ({ ...fields, chunker: 5 })],
    ['tells another length', (fields) => ({ ...fields, bytes: 60_001 })],
    ['tells 10^9 bytes', (fields) => ({ ...fields, bytes: 1e9 })],
    ['tells a length that no number holds', (fields) => ({ ...fields, bytes: 2 ** 63 })],
    ['has another root', (fields) => ({ ...fields, root: new Uint8Array(32) })],
    ['has a short root', (fields) => ({ ...fields, root: new Uint8Array(31) })],
    ['has no groups', (fields) => ({ ...fields, groups: [] })],
    ['has groups that are none', (fields) => ({ ...fields, groups: [5] })],
    [
      'has a group of no chunks',
      ({ groups, ...fields }) => ({ ...fields, groups: groups.map(([, ...rest]) => [0, ...rest]) }),
    ],
    [
      'has a group of 10^9 chunks',
      ({ groups, ...fields }) => ({ ...fields, groups: groups.map(([, ...rest]) => [1e9, ...rest]) }),
    ],
    [
      'has a group of 8193 chunks',
      ({ groups, ...fields }) => ({ ...fields, groups: groups.map(([, ...rest]) => [8193, ...rest]) }),
    ],
    [
      'has a group in a pack that is not named',
      ({ groups, ...fields }) => ({ ...fields, groups: groups.map(([n, b, r]) => [n, b, r, [9, 0, 500]]) }),
    ],
    [
      'has a group past its pack',
      ({ groups, ...fields }) => ({
        ...fields,
        groups: groups.map(([n, b, r]) => [n, b, r, [0, 199_999, 500]]),
      }),
    ],
    [
      'has a group at a huge offset',
      ({ groups, ...fields }) => ({
        ...fields,
        groups: groups.map(([n, b, r]) => [n, b, r, [0, Number.MAX_SAFE_INTEGER, 500]]),
      }),
    ],
    ['names a pack elsewhere', (fields) => ({ ...fields, packs: [['stowage.json', 5]] })],
    ['names a pack by a path', (fields) => ({ ...fields, packs: [['packs/../../x', 5]] })],
    [
      'names a pack of 65 MiB',
      ({ packs, ...fields }) => ({ ...fields, packs: packs.map(([name]) => [name, (64 << 20) + 1]) }),
    ],
    ['names no pack', (fields) => ({ ...fields, packs: [] })],
    ['has packs that are a number', (fields) => ({ ...fields, packs: 7 })],
  ])('that %s is damage', (_, change) => {
    isDamaged(() => decodeManifest(signed(change(fieldsOf(manifestOf([groupOf(3, 1)])))), key, 'm'));
  });

  test.each<[string, (columns: ChunkColumns) => void]>([
    ['a chunk of no bytes', ({ lengths }) => lengths.fill(0, 1, 2)],
    ['a chunk longer than any', ({ lengths }) => lengths.fill(256 * 1024 + 1, 1, 2)],
    ['an offset past the pack', ({ offsets }) => offsets.fill(199_500, 2)],
    ['an offset of 2^32 - 1', ({ offsets }) => offsets.fill(0xffffffff, 2)],
    ['a pack that is not named', ({ packs }) => packs.fill(2, 0, 1)],
    ['an entry without a payload', ({ storedBytes }) => storedBytes.fill(48)],
    ['an entry of 2^32 - 1 bytes', ({ storedBytes }) => storedBytes.fill(0xffffffff)],
  ])('with %s is damage', (_, change) => {
    isDamaged(() => decodeManifest(encodeManifest(columnsWith(change)), key, 'm'));
  });

  test('of a newer version asks for an upgrade', () => {
    const newer = signed({ ...fieldsOf(manifestOf([groupOf(3, 1)])), v: 2 });
    expect(() => decodeManifest(newer, key, 'm')).toThrow(
      expect.toSatisfy((error) => isStowageError(error, 'UNSUPPORTED_FORMAT')),
    );
  });

  test('with a key __proto__ is damage, and changes no prototype', () => {
    const fields = encode({ ...fieldsOf(manifestOf([groupOf(3, 1)])), xxxxxxxxx: { v: 9 } });
    const hostile = Buffer.from(
      Buffer.from(fields).toString('latin1').replace('xxxxxxxxx', '__proto__'),
      'latin1',
    );
    isDamaged(() => decodeManifest(signed(hostile), key, 'm'));
    expect(({} as { v?: number }).v).toBeUndefined();
  });

  test('of arrays that each claim a million elements is damage, in bounded memory', () => {
    const claim = Buffer.from([0xdd, 0, 0x0f, 0xff, 0xff]);
    const before = process.memoryUsage().heapUsed;
    isDamaged(() => decodeManifest(signed(Buffer.alloc(5 << 20, claim)), key, 'm'));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20);
  });

  /** Puts a manifest under the key of a content that it is not of. */
  const plant = async (storage: DataStoreStorage, key: string, raw: Uint8Array): Promise<string> => {
    const sealed = sealEnvelope('manifest', raw, { compression: { codec: 'zstd' } });
    const name = copyName('manifests', key, newSessionId(), 0, sealed.length);
    await storage.create(name, sealed);
    return name;
  };

  test.each<[string, () => Uint8Array]>([
    [
      'claims 10^9 bytes in groups that lie in a pack',
      () => {
        const huge = { ...packed(groupOf(3, 1), 0), bytes: 1e9 };
        return encodeManifest(manifestOf([huge]));
      },
    ],
    ['names chunks of a pack that is not there', () => encodeManifest(manifestOf([groupOf(8192, 1)]))],
    [
      'unfolds to 8 MiB of arrays',
      () => signed(Buffer.alloc(8 << 20, Buffer.from([0xdd, 0, 0x0f, 0xff, 0xff]))),
    ],
    ['is empty', () => new Uint8Array(0)],
  ])('that %s ends in a typed error, and the content can be saved', async (_, raw) => {
    const storage = new MemoryStorage();
    const content = contentOf(300_000);
    const key = digestHex(content);
    await freshStore(storage).prepareToWrite();
    const name = await plant(storage, key, raw());
    const reading = freshStore(storage).reader;
    expect(await codeOf(reading.load({ key }))).toBe('CONTENT_DAMAGED');
    expect(['CONTENT_DAMAGED', 'CONTENT_NOT_FOUND']).toContain(
      await codeOf(reading.load({ key, copy: name, bytes: 1e9 })),
    );
    const [saved] = await freshStore(storage).saveBlobs([content]);
    expect(saved?.copy).not.toBe(name);
    expect(Buffer.compare(await freshStore(storage).reader.load({ key }), content)).toBe(0);
  });

  test('of another content never passes for this one, by key or by root', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    const [a] = await store.saveBlobs([contentOf(300_000, 1)]);
    const key = digestHex(contentOf(300_000, 2));
    const body = (await storage.get(a?.copy as string))?.body as Uint8Array;
    const name = copyName('manifests', key, newSessionId(), 0, body.length);
    await storage.create(name, body);
    expect(await codeOf(freshStore(storage).reader.load({ key }))).toBe('CONTENT_DAMAGED');
    expect(await namesOf(storage, `${name}.damaged`)).toHaveLength(1);
    const root = digestHex(new Uint8Array(1));
    const range = { offset: 0, length: 10 };
    const stream = freshStore(storage).streamBlob({ key, copy: name, bytes: 300_000, root }, { range });
    expect(await codeOf(stream.next())).toBe('CONTENT_DAMAGED');
  });
});
