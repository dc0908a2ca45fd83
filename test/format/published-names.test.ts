import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createPublishedRecord,
  decodePublished,
  describePublished,
  listNames,
  listVersions,
  MAX_PUBLISHED_VERSION,
  parsePublishedName,
  publishedFactsOf,
  publishedRecordName,
  readPublishedRecord,
  withdrawnMarkName,
} from '../../src/format/published-names.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import { isStoreName } from '../../src/format/store-names.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { isUserName } from '../../src/storage/names.ts';
import { codeOf } from '../content/storages.ts';
import { test } from '../property.ts';

const names = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter(isUserName);
const versions = fc.integer({ min: 1, max: MAX_PUBLISHED_VERSION });
const publishedAt = '2026-03-01T12:00:00.000Z';

async function listed(storage: MemoryStorage, name?: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { name: of, version, withdrawn } of listVersions(storage, { name }))
    found.push([of, version, withdrawn]);
  return found;
}

describe('the names of published versions', () => {
  test.prop([names, versions])('are read as they were written, and are those of a store', (name, version) => {
    const id = { name, version };
    expect(parsePublishedName(publishedRecordName(id))).toEqual({ ...id, isMark: false });
    expect(parsePublishedName(withdrawnMarkName(id))).toEqual({ ...id, isMark: true });
    expect(isStoreName(publishedRecordName(id))).toBe(true);
    expect(isStoreName(withdrawnMarkName(id))).toBe(true);
  });

  test.prop([fc.uniqueArray(versions, { minLength: 1, maxLength: 20 })])(
    'are listed with the newest first, marks included',
    async (numbers) => {
      const storage = new MemoryStorage();
      for (const version of numbers) {
        await createPublishedRecord(
          storage,
          { name: 'm', version, session: newSessionId(), publishedAt },
          {},
        );
        if (version % 2 === 0)
          await storage.create(withdrawnMarkName({ name: 'm', version }), new Uint8Array());
      }
      const descending = [...numbers].sort((a, b) => b - a);
      expect(await listed(storage, 'm')).toEqual(
        descending.map((version) => ['m', version, version % 2 === 0]),
      );
    },
  );

  it.each([
    'names/m/999999999999.json', // version 0
    'names/m/99999999999.json',
    'names/m/999999999998.JSON',
    'names/m/x/999999999998.json',
    'names/m/999999999998.json.damaged',
    'runs/m/999999999998.json',
  ])('%s is none', (object) => {
    expect(parsePublishedName(object)).toBeUndefined();
  });

  it('of another name are not listed with one that begins alike', async () => {
    const storage = new MemoryStorage();
    for (const name of ['model', 'model-2', 'mode'])
      await createPublishedRecord(storage, { name, version: 1, session: newSessionId(), publishedAt }, {});
    expect(await listed(storage, 'model')).toEqual([['model', 1, false]]);
    const all: string[] = [];
    for await (const name of listNames(storage, {})) all.push(name);
    expect(all).toEqual(['mode', 'model-2', 'model']);
  });
});

describe('the record of a published version', () => {
  const id = { name: 'm', version: 3 };
  const fields = {
    format: 1,
    kind: 'published-version',
    session: newSessionId(),
    ...id,
    publishedAt,
    owner: { host: 'h', pid: 1 },
  };

  it('reads as it was written', async () => {
    const storage = new MemoryStorage();
    const session = newSessionId();
    expect(await createPublishedRecord(storage, { ...id, session, publishedAt }, {})).toBe(true);
    expect(await readPublishedRecord(storage, id, {})).toMatchObject({ ...id, session, publishedAt });
    expect(await readPublishedRecord(storage, { ...id, version: 2 }, {})).toBeUndefined();
  });

  it('of another publisher under the same number is not taken for one’s own', async () => {
    const storage = new MemoryStorage();
    const [first, second] = [newSessionId(), newSessionId()];
    expect(await createPublishedRecord(storage, { ...id, session: first, publishedAt }, {})).toBe(true);
    expect(await createPublishedRecord(storage, { ...id, session: second, publishedAt }, {})).toBe(false);
    expect((await readPublishedRecord(storage, id, {}))?.session).toBe(first);
  });

  it.each([
    ['of another name', { ...fields, name: 'n' }],
    ['of another version', { ...fields, version: 4 }],
    ['of another kind', { ...fields, kind: 'run' }],
    ['with a session that can be none', { ...fields, session: '../runs' }],
    ['without a time', { ...fields, publishedAt: 'then' }],
  ])('%s is damaged', async (_what, record) => {
    expect(await codeOf(async () => decodePublished(encodeRecord(record), 'r', id))).toBe('RECORD_DAMAGED');
  });

  it('of a newer format is refused as that', async () => {
    const newer = encodeRecord({ ...fields, format: 2 });
    expect(await codeOf(async () => decodePublished(newer, 'r', id))).toBe('UNSUPPORTED_FORMAT');
  });
});

describe('what a session says of a published version', () => {
  const source = { path: { flow: 'F', run: 'r', step: 's', task: 't' }, attempt: 2 };

  it.each([
    { artifact: 'model', source, attributes: {} },
    { artifact: 'model', source, description: '', attributes: { auc: 0.9, tags: ['a'] } },
  ])('reads as it was written: %j', (facts) => {
    expect(publishedFactsOf(describePublished(facts), 'd')).toEqual(facts);
  });

  it('is nothing of a session that keeps something else', () => {
    expect(publishedFactsOf({ metadata: {}, readFrom: [] }, 'd')).toBeUndefined();
  });

  const { metadata } = describePublished({ artifact: 'model', source, attributes: {} });
  it.each([
    [{ metadata, readFrom: [] }],
    [{ metadata, readFrom: ['F/r/s/t'] }],
    [{ metadata, readFrom: ['../r/s/t/0'] }],
    [{ metadata, readFrom: ['F/r/s/../0'] }],
    [{ metadata: { published: { artifact: 'model' } }, readFrom: ['F/r/s/t/0'] }],
    [{ metadata: { published: 'model' }, readFrom: ['F/r/s/t/0'] }],
  ])('is damaged where it cannot be: %j', async (told) => {
    expect(await codeOf(async () => publishedFactsOf(told as typeof told & { metadata: object }, 'd'))).toBe(
      'RECORD_DAMAGED',
    );
  });
});
