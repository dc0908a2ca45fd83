import { describe, expect, test } from 'vitest';
import { StoreFile } from '../../src/content/store-file.ts';
import { isStowageError, type StowageErrorCode } from '../../src/errors.ts';
import { plainName } from '../../src/format/content-names.ts';
import { readContentRefs } from '../../src/format/content-ref.ts';
import {
  decodeDescription,
  decodeTable,
  encodeDescription,
  encodeTable,
  readDescription,
} from '../../src/format/description.ts';
import { decodeLocator, encodeLocator } from '../../src/format/locator.ts';
import {
  MAX_OWN_OBJECT_BYTES,
  ownObjectName,
  readOwnObjects,
  readOwnValue,
} from '../../src/format/own-values.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { decodeAttempt, decodeDone, encodeAttempt, encodeDone } from '../../src/format/session-files.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import { readStoredContent, type StoredContent } from '../../src/format/stored-content.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf } from './contents.ts';
import { bodyOf, codeOf, freshStore, withFlippedBit } from './storages.ts';

const storage = new MemoryStorage();
const [saved] = await freshStore(storage).saveBlobs([contentOf(300_000)]);
const { session, ...content } = saved as NonNullable<typeof saved>;
const startedAt = '2026-01-02T03:04:05.678Z';
const pins = [{ place: '', kind: 'key' as const, name: content.key }];
const artifact = {
  name: '0',
  type: 'Uint8Array',
  encoding: 'bytes',
  key: content.key,
  bytes: content.bytes,
  content,
};
const inline = {
  name: 'i',
  type: 'string',
  encoding: 'string',
  key: content.key,
  bytes: 2,
  refs: pins,
  inline: { json: 'é' },
};
const table = { artifacts: [artifact, inline] };
const subject = { loose: true } as const;
const description = {
  session,
  subject,
  startedAt,
  table,
  metadata: { a: [1, null] },
  values: [{ object: ownObjectName(session, 1), bytes: 60, dropped: [content.key] }],
  readFrom: ['r/s/t'],
  reports: [],
};
const done = {
  outcome: 'failed' as const,
  session,
  metadataDigest: content.key,
  closedAt: startedAt,
  error: { name: 'E', message: 'm' },
};
const attempt = { session, startedAt, owner: { host: 'h', pid: 7 }, pins };
const locator = { key: content.key, plain: plainName(session, 3, 'x'), parts: [], bytes: 5 };

/** metadata.json by its own digest; whoever has read DONE compares with that instead. */
function readVerified(bytes: Uint8Array): unknown {
  const { table, ...read } = readDescription(decodeRecord(bytes, 'm'), 'm', subject);
  return { subject, ...read, table: typeof table === 'function' ? table() : table };
}

const RECORDS: [string, Uint8Array, (bytes: Uint8Array) => unknown, unknown, StowageErrorCode][] = [
  [
    'attempt.json',
    encodeAttempt(attempt, subject),
    (bytes) => decodeAttempt(bytes, 'a', subject),
    attempt,
    'RECORD_DAMAGED',
  ],
  ['DONE', encodeDone(done, subject), (bytes) => decodeDone(bytes, 'd', subject), done, 'RECORD_DAMAGED'],
  ['metadata.json', encodeDescription(description), readVerified, description, 'RECORD_DAMAGED'],
  [
    'a description whose table was moved',
    encodeDescription({ ...description, table: content }),
    readVerified,
    { ...description, table: content },
    'RECORD_DAMAGED',
  ],
  ['a moved table', encodeTable(table), (bytes) => decodeTable(bytes, 't'), table, 'RECORD_DAMAGED'],
  [
    'pins',
    encodeRecord({ format: 1, kind: 'pins', session, entries: pins }),
    (bytes) => readContentRefs(decodeRecord(bytes, 'p').entries, 'p'),
    pins,
    'RECORD_DAMAGED',
  ],
  [
    'a locator',
    encodeLocator(locator),
    (bytes) => decodeLocator(bytes, content.key, 'l'),
    locator,
    'CONTENT_DAMAGED',
  ],
];

const throwsCode = (code: StowageErrorCode, call: () => unknown, what?: string): void => {
  expect(call, what).toThrow(expect.toSatisfy((error) => isStowageError(error, code)));
};

describe.each(RECORDS)('%s', (_, bytes, decode, value, code) => {
  test('is read as it was written', () => {
    expect(decode(bytes)).toEqual(value);
  });

  test('a flipped bit in any byte, and every truncation, is seen', () => {
    // Two or three bits of each byte; all eight places in turn.
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      throwsCode(code, () => decode(withFlippedBit(bytes, bit)), `bit ${bit}`);
    }
    for (let length = 0; length < bytes.length; length++) {
      throwsCode(code, () => decode(bytes.subarray(0, length)), `length ${length}`);
    }
    throwsCode(code, () => decode(Buffer.concat([bytes, Buffer.from(' ')])));
  });
});

describe('hostile records with a good digest', () => {
  test.each<[string, object]>([
    ['no key', { key: undefined }],
    ['a key that is a path', { key: '../../etc/passwd' }],
    ['a copy of another key', { copy: content.copy.replaceAll(content.key, 'ab'.repeat(32)) }],
    ['a copy outside the store', { copy: '../data/x' }],
    ['a pack for a copy', { copy: `packs/${session}/00000000` }],
    ['a negative length', { bytes: -1 }],
    ['a length that is text', { bytes: '5' }],
    ['a root that is none', { root: 'x' }],
    ['a root that is a list', { root: [content.key] }],
  ])('a stored content with %s', (_, change) => {
    throwsCode('RECORD_DAMAGED', () =>
      readStoredContent({ ...content, ...change } as Record<string, unknown>, 'c'),
    );
  });

  test.each<[string, object]>([
    ['no object', { object: undefined }],
    ['an object that is a path', { object: `../../${ownObjectName(session, 1)}` }],
    ['an object of another attempt', { object: `1.${ownObjectName(session, 1)}` }],
    ['a negative offset', { offset: -1 }],
    ['an end beyond the longest object', { offset: MAX_OWN_OBJECT_BYTES - 5 }],
    ['10 TB', { storedBytes: 10 ** 13 }],
    ['a place that is none', { place: '../x' }],
  ])('a value of the attempt’s own with %s', (_, change) => {
    const own = { object: ownObjectName(session, 1), offset: 0, storedBytes: 60 };
    expect(readOwnValue({ own }, 'v')).toEqual(own);
    throwsCode('RECORD_DAMAGED', () => readOwnValue({ own: { ...own, ...change } }, 'v'));
    const objects = [{ object: own.object, bytes: 60, keys: [content.key], ...change }];
    if ('object' in change || 'place' in change)
      throwsCode('RECORD_DAMAGED', () => readOwnObjects({ values: objects }, 'v'));
    throwsCode('RECORD_DAMAGED', () => readOwnObjects({ values: [{ ...objects[0], keys: ['x'] }] }, 'v'));
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['text', 'pins'],
    ['null', [null]],
    ['a number', [5]],
    ['an unknown kind', [{ place: '', kind: 'run', name: 'x' }]],
    ['no place', [{ kind: 'key', name: 'x' }]],
    ['a kind of the prototype', [{ place: '', kind: 'constructor', name: 'x' }]],
  ])('entries that hold %s', (_, entries) => {
    throwsCode('RECORD_DAMAGED', () => readContentRefs(entries, 'p'));
  });

  test.each<[string, object]>([
    ['names another key', { key: 'ab'.repeat(32) }],
    ['names a path', { plain: '../../etc/passwd' }],
    ['names a copy', { plain: content.copy }],
    ['has a negative length', { bytes: -5 }],
    ['has no length', { bytes: undefined }],
  ])('a locator that %s', (_, change) => {
    const record = encodeRecord({ format: 1, kind: 'locator', ...locator, ...change });
    throwsCode('CONTENT_DAMAGED', () => decodeLocator(record, content.key, 'l'));
  });

  test('a newer format asks for an upgrade', () => {
    const newer = encodeRecord({ format: 2, anything: 1 });
    for (const decode of [decodeAttempt, decodeDone, decodeDescription, decodeTable]) {
      throwsCode('UNSUPPORTED_FORMAT', () => decode(newer, 'n', {}));
    }
  });
});

describe('stowage.json', () => {
  test('every flipped bit and every truncation is NOT_A_STORE, for readers and writers, and nothing is written', async () => {
    const bytes = await bodyOf(storage, 'stowage.json');
    const check = async (body: Uint8Array, what: string): Promise<void> => {
      const broken = new MemoryStorage();
      await broken.create('stowage.json', body);
      expect(await codeOf(new StoreFile(broken).require()), what).toBe('NOT_A_STORE');
      expect(await codeOf(new StoreFile(broken).ensure()), what).toBe('NOT_A_STORE');
      expect(Buffer.compare(await bodyOf(broken, 'stowage.json'), body)).toBe(0);
    };
    for (let bit = 0; bit < bytes.length * 8; bit++) await check(withFlippedBit(bytes, bit), `bit ${bit}`);
    for (let length = 0; length < bytes.length; length++)
      await check(bytes.subarray(0, length), `length ${length}`);
  });

  test.each<[string, Uint8Array]>([
    ['another program’s JSON', Buffer.from('{"name":"stowage"}')],
    ['a record of another kind', encodeRecord({ format: 1, kind: 'done' })],
    ['a store without an id', encodeRecord({ format: 1, kind: 'store', storeId: 'x', names: 'exact' })],
    ['unknown names', encodeRecord({ format: 1, kind: 'store', storeId: session, names: 'other' })],
    ['100 KiB of anything', contentOf(100_000)],
  ])('that holds %s is NOT_A_STORE', async (_, body) => {
    const other = new MemoryStorage();
    await other.create('stowage.json', body);
    expect(await codeOf(freshStore(other).prepareToRead())).toBe('NOT_A_STORE');
  });

  test('is read once a process', async () => {
    const { ObservedStorage } = await import('./storages.ts');
    const observed = new ObservedStorage(storage);
    const store = freshStore(observed);
    await store.prepareToRead();
    await store.prepareToWrite();
    await store.storeId();
    expect(observed.calls).toEqual(['get stowage.json']);
  });
});

test('a session’s id is 26 characters of 128 random bits', () => {
  expect(newSessionId((bytes) => new Uint8Array(bytes))).toBe('0'.repeat(26));
  expect(newSessionId((bytes) => new Uint8Array(bytes).fill(255))).toBe(`7${'v'.repeat(25)}`);
  const ids = Array.from({ length: 1000 }, () => newSessionId());
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[0-7][0-9a-v]{25}$/);
});

test('a content that is recorded without a root has none when it is read', () => {
  const { root: _, ...rootless } = content as StoredContent;
  expect(readStoredContent({ ...rootless }, 'c')).toEqual(rootless);
});
