import { describe, expect, test } from 'vitest';
import { sealEnvelope } from '../../src/codec/envelope.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { copyName } from '../../src/format/content-names.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { bodyOf, codeOf, freshStore, namesOf } from './storages.ts';

const CHUNK = 262_144;

/** Puts the manifest of one content under the name of another's. */
async function misplaced(storage: MemoryStorage): Promise<{ key: string; copy: string }> {
  const contents = [1, 2].map((fill) => new Uint8Array(CHUNK).fill(fill));
  const [one, other] = await freshStore(storage).saveBlobs(contents);
  if (!one || !other) throw new Error('unreachable');
  const body = await bodyOf(storage, one.copy);
  await storage.delete([other.copy]);
  await storage.create(other.copy.replace(/\d+$/, String(body.length)), body);
  return other;
}

describe('a manifest under the name of another content', () => {
  test.each([
    [
      'a range by key',
      async (storage: MemoryStorage, { key }: { key: string }) => {
        for await (const _ of freshStore(storage).streamBlob(key, { range: { offset: 1, length: 5 } }))
          return;
      },
    ],
    [
      'the whole by key and length',
      (storage: MemoryStorage, { key }: { key: string }) =>
        freshStore(storage)
          .loadBlobs([{ key, bytes: CHUNK }])
          .next(),
    ],
    [
      'the whole by key',
      (storage: MemoryStorage, { key }: { key: string }) => freshStore(storage).loadBlobs([key]).next(),
    ],
    [
      'what saving returned',
      (storage: MemoryStorage, saved: { key: string }) => freshStore(storage).loadBlobs([saved]).next(),
    ],
  ])('gives no byte of it: %s', async (_, read) => {
    const storage = new MemoryStorage();
    const other = await misplaced(storage);
    expect(await codeOf(read(storage, other))).toBe('CONTENT_DAMAGED');
  });

  test('is marked, and no hit for who saves the content again', async () => {
    const storage = new MemoryStorage();
    const { key, copy } = await misplaced(storage);
    const [saved] = await freshStore(storage).saveBlobs([new Uint8Array(CHUNK).fill(2)]);
    expect(saved).toMatchObject({ key });
    expect(saved?.copy).not.toBe(copy);
    expect((await namesOf(storage, 'manifests/')).filter((name) => name.endsWith('.damaged'))).toHaveLength(
      1,
    );
    const { value } = await freshStore(storage).loadBlobs([key]).next();
    expect(value?.blob[0]).toBe(2);
  });
});

test.each(['..', '.', 'a\\b', 'a\u0000b', 'x'.repeat(129)])(
  'a locator that names the file %j is damaged, and another copy is read',
  async (file) => {
    const storage = new MemoryStorage();
    const content = Buffer.from('plain text');
    const [key, session] = [digestHex(content), newSessionId()];
    const plain = `plain/${session}-00000000/${file}`;
    const record = encodeRecord({ format: 1, kind: 'locator', key, plain, bytes: content.length, parts: [] });
    const sealed = sealEnvelope('locator', record, { compression: 'none' });
    await freshStore(storage).saveBlobs([Buffer.from('a store')]);
    await storage.create(copyName('manifests', key, session, 1, sealed.length), sealed);
    expect(await codeOf(freshStore(storage).loadBlobs([key]).next())).toBe('CONTENT_DAMAGED');
    await freshStore(storage).saveBlobs([content]);
    const { value } = await freshStore(storage).loadBlobs([key]).next();
    expect(Buffer.from(value?.blob as Uint8Array).toString()).toBe('plain text');
  },
);
