import { describe, expect, test } from 'vitest';
import type { Blob, SavedBlob } from '../../src/content-addressed-store.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { StowageError } from '../../src/errors.ts';
import { type ArtifactEntry, decodeDescription } from '../../src/format/description.ts';
import { decodeDone } from '../../src/format/session-files.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { type Fault, FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf, streamOf } from '../content/contents.ts';
import {
  abandonedDone,
  bodyOf,
  codeOf,
  freshStore,
  namesOf,
  ObservedStorage,
  onlyName,
} from '../content/storages.ts';

function artifactsIn(metadata: Uint8Array): ArtifactEntry[] {
  const { table } = decodeDescription(metadata, 'metadata.json', { loose: true });
  return typeof table === 'function' ? table().artifacts : [];
}

/** What all loose sessions of a store keep: the keys that descriptions of closed, unreleased ones name, and the open ones. */
async function kept(storage: DataStoreStorage): Promise<{ keys: string[]; open: string[] }> {
  const names = new Set(await namesOf(storage, 'loose/'));
  const keys: string[] = [];
  const open: string[] = [];
  for (const name of names) {
    if (!name.endsWith('.attempt.json')) continue;
    const base = name.slice(0, -'.attempt.json'.length);
    if (!names.has(`${base}.DONE`)) open.push(base);
    if (names.has(`${base}.DELETED`) || !names.has(`${base}.metadata.json`)) continue;
    keys.push(...artifactsIn(await bodyOf(storage, `${base}.metadata.json`)).map(({ key }) => key));
  }
  return { keys, open };
}

async function outcomeIn(storage: DataStoreStorage): Promise<ReturnType<typeof decodeDone>> {
  const name = (await namesOf(storage, 'loose/')).find((name) => name.endsWith('.DONE')) as string;
  return decodeDone(await bodyOf(storage, name), name, { loose: true });
}

describe('a save that succeeds', () => {
  test('closes a session of its own, whose description names what it keeps, by a digest that DONE holds', async () => {
    const storage = new MemoryStorage();
    const contents = [contentOf(10), contentOf(300_000)];
    const saved = await freshStore(storage).saveBlobs(contents);
    const session = saved[0]?.session as string;
    expect(saved[1]?.session).toBe(session);
    const metadata = await bodyOf(storage, `loose/${session}.metadata.json`);
    const done = decodeDone(await bodyOf(storage, `loose/${session}.DONE`), 'DONE', { loose: true, session });
    expect(done).toMatchObject({ outcome: 'done', session, metadataDigest: digestHex(metadata) });
    const artifacts = artifactsIn(metadata);
    expect(artifacts.map(({ content }) => content)).toEqual(
      saved.map(({ session: _, ...content }: SavedBlob) => content),
    );
    expect(await kept(storage)).toEqual({ keys: saved.map(({ key }) => key), open: [] });
  });
});

describe('a save that fails keeps nothing', () => {
  const failures: [string, (abort: AbortController) => Blob[]][] = [
    [
      'a content that is none, behind a stream',
      () => [
        contentOf(10),
        streamOf(contentOf(300_000), { lengths: [9_000], reused: true }),
        'text' as unknown as Blob,
      ],
    ],
    [
      'a stream that throws',
      () => [
        contentOf(10),
        (async function* () {
          yield contentOf(300_000);
          throw new TypeError('lost the connection');
        })(),
      ],
    ],
    [
      'an abort',
      (abort) => [
        contentOf(10),
        (async function* () {
          yield contentOf(300_000);
          abort.abort();
          yield contentOf(300_000);
        })(),
      ],
    ],
  ];

  test.each(failures)('after %s', async (_, blobs) => {
    const storage = new MemoryStorage();
    const abort = new AbortController();
    const call = freshStore(storage).saveBlobs(blobs(abort), { signal: abort.signal });
    await expect(call).rejects.toBeInstanceOf(Error);
    expect(await kept(storage)).toEqual({ keys: [], open: [] });
    const { outcome, error } = await outcomeIn(storage);
    expect(outcome).toBe('failed');
    expect(error?.message).toEqual(expect.any(String));
  });

  test.each<[string, unknown]>([
    ['a content that is none', 'text'],
    [
      'a stream that fails at its beginning',
      (async function* () {
        yield contentOf(5);
        throw new TypeError('lost the connection');
      })(),
    ],
  ])('and leaves no trace where nothing was written yet: %s', async (_, blob) => {
    const storage = new MemoryStorage();
    const call = freshStore(storage).saveBlobs([contentOf(10), contentOf(300_000), blob as Blob]);
    await expect(call).rejects.toBeInstanceOf(Error);
    expect(await namesOf(storage)).toEqual(['stowage.json']);
  });

  test.each<[string, RegExp, Fault]>([
    ['its description cannot be written', /metadata/, { kind: 'before' }],
    ['its description was written, but the answer was lost', /metadata/, { kind: 'after' }],
    ['DONE cannot be written', /DONE/, { kind: 'before' }],
    ['DONE was written, but the answer was lost', /DONE/, { kind: 'after' }],
  ])('when %s', async (_, name, fault) => {
    const memory = new MemoryStorage();
    let failed = false;
    const storage = new FaultStorage(memory, (operation, object) => {
      if (failed || operation !== 'create' || !name.test(object)) return undefined;
      failed = true;
      return fault;
    });
    expect(await codeOf(freshStore(storage).saveBlobs([contentOf(10)]))).toBe('STORAGE_UNAVAILABLE');
    expect(failed).toBe(true);
    expect(await kept(memory)).toEqual({ keys: [], open: [] });
  });

  test.each([/metadata/, /DONE/])('when it is aborted as %s is written', async (name) => {
    const storage = new ObservedStorage(new MemoryStorage());
    const abort = new AbortController();
    storage.before = (operation, object) => {
      if (operation === 'create' && name.test(object)) abort.abort();
    };
    const call = freshStore(storage).saveBlobs([contentOf(10)], { signal: abort.signal });
    expect(await codeOf(call)).toBe('ABORTED');
    expect(await kept(storage)).toEqual({ keys: [], open: [] });
  });

  test('when a collector gave up on it meanwhile, it says so', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    storage.before = async (operation, object) => {
      if (operation !== 'create' || !object.endsWith('.DONE')) return;
      storage.before = () => {};
      const attempt = await bodyOf(storage, object.replace('.DONE', '.attempt.json'));
      await storage.create(object, abandonedDone(attempt));
    };
    expect(await codeOf(freshStore(storage).saveBlobs([contentOf(10)]))).toBe('ATTEMPT_FENCED');
  });

  test('errors with causes in a circle, long messages and strange throws are recorded within bounds', async () => {
    const circle = new Error('x'.repeat(1e6));
    circle.cause = circle;
    for (const thrown of [circle, 'text', undefined, null, 5n, Symbol('s'), { toJSON: () => fail() }]) {
      const storage = new MemoryStorage();
      const failing = (async function* (): AsyncGenerator<Uint8Array> {
        yield contentOf(300_000);
        throw thrown;
      })();
      const call = freshStore(storage).saveBlobs([failing]);
      await expect(
        call.then(
          () => 'saved',
          (error) => error === thrown,
        ),
      ).resolves.toBe(true);
      expect((await outcomeIn(storage)).outcome).toBe('failed');
      const done = await bodyOf(
        storage,
        await onlyName(storage, `loose/${(await outcomeIn(storage)).session}.DONE`),
      );
      expect(done.length).toBeLessThan(400_000);
    }
  });
});

function fail(): never {
  throw new StowageError('INVALID_ARGUMENT', 'no JSON');
}

describe('release', () => {
  test('marks the session before it removes the description, and the content stays readable until it is collected', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const store = freshStore(storage);
    const content = contentOf(300_000);
    const [saved] = await store.saveBlobs([content]);
    const { session, key } = saved as SavedBlob;
    let markedBefore = false;
    const original = storage.delete.bind(storage);
    storage.delete = async (names, options) => {
      markedBefore = (await namesOf(storage, `loose/${session}.DELETED`)).length === 1;
      return original(names, options);
    };
    await store.release(session);
    expect(markedBefore).toBe(true);
    const names = await namesOf(storage, 'loose/');
    expect(names).toEqual(
      ['attempt.json', 'DELETED', 'DONE'].map((file) => `loose/${session}.${file}`).sort(),
    );
    expect(await kept(storage)).toEqual({ keys: [], open: [] });
    expect(Buffer.compare(await freshStore(storage).reader.load({ key }), content)).toBe(0);
    await store.release(session);
    expect(await namesOf(storage, 'loose/')).toEqual(names);
  });

  test('one session’s release leaves what another one keeps', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    const [first] = await store.saveBlobs([contentOf(10)]);
    const [second] = await store.saveBlobs([contentOf(10)]);
    await store.release(first?.session as string);
    expect((await kept(storage)).keys).toEqual([second?.key]);
  });

  test('a session that nobody opened is SESSION_NOT_FOUND, and leaves no mark', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    await store.saveBlobs([]);
    const before = await namesOf(storage);
    expect(await codeOf(store.release('0'.repeat(26)))).toBe('SESSION_NOT_FOUND');
    expect(await namesOf(storage)).toEqual(before);
  });

  test.each(['', '../x', 'V'.repeat(26), 5, null, undefined, '0'.repeat(25)])(
    '%j is no session',
    async (session) => {
      const store = freshStore(new MemoryStorage());
      await store.saveBlobs([]);
      expect(await codeOf(store.release(session as string))).toBe('INVALID_ARGUMENT');
    },
  );

  test('a description that cannot be deleted is told', async () => {
    const memory = new MemoryStorage();
    const [saved] = await freshStore(memory).saveBlobs([contentOf(10)]);
    const storage = new FaultStorage(memory, (operation) =>
      operation === 'delete' ? { kind: 'before' } : undefined,
    );
    expect(await codeOf(freshStore(storage).release(saved?.session as string))).toBe('STORAGE_UNAVAILABLE');
    expect((await kept(memory)).keys).toEqual([]); // the mark stands already
  });
});
