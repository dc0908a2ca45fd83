import { describe, expect, test } from 'vitest';
import { createOwn, holdsBytes } from '../../src/format/create-own.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { Session } from '../../src/sessions/session.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { contentOf, streamOf } from '../content/contents.ts';
import { bodyOf, codeOf, freshStore, namesOf, openSession } from '../content/storages.ts';
import { scratchFolder } from '../storage/scratch.ts';

const folder = scratchFolder();
const foreign = Buffer.from('somebody else wrote this');

test('an object of one’s own that stands already is success, whatever else stands is an error', async () => {
  const storage = new MemoryStorage();
  const body = contentOf(100);
  await createOwn(storage, 'a', body);
  await createOwn(storage, 'a', body);
  for (const other of [
    contentOf(100, 2),
    body.subarray(0, 99),
    Buffer.concat([body, body]),
    new Uint8Array(0),
  ]) {
    expect(await codeOf(createOwn(storage, 'a', other))).toBe('STORAGE_FAILED');
    expect(await holdsBytes(storage, 'a', other)).toBe(false);
  }
  expect(Buffer.compare(await bodyOf(storage, 'a'), body)).toBe(0);
  expect(await holdsBytes(storage, 'b', body)).toBe(false);
});

describe.each([
  ['memory', async () => new MemoryStorage()],
  ['local', () => LocalStorage.open(`${folder}/${newSessionId()}`, { fsync: false })],
] as const)('foreign objects under the names of a session, on %s', (_, open) => {
  test.each<[string, (session: string) => string, (session: Session) => Promise<unknown>]>([
    ['its attempt.json', (id) => `loose/${id}.attempt.json`, async () => {}],
    ['its pins', (id) => `pins/${id}/00000000.json`, (session) => session.put([{ bytes: contentOf(10) }])],
    ['its pack', (id) => `packs/${id}/00000000`, (session) => session.put([{ bytes: contentOf(300_000) }])],
    [
      'its pack, from a stream',
      (id) => `packs/${id}/00000000`,
      (session) => session.putStream(streamOf(contentOf(300_000), { lengths: [9999], reused: false })),
    ],
    ['its plain object', (id) => `plain/${id}-00000000/x`, (session) => session.putPlain('x', contentOf(10))],
    [
      'its plain object, from a stream',
      (id) => `plain/${id}-00000000/x`,
      (session) => session.putPlain('x', streamOf(contentOf(10), { lengths: [3], reused: false })),
    ],
  ])('%s: STORAGE_FAILED, and the foreign object stays', async (_, nameOf, write) => {
    await using storage = await open();
    const store = freshStore(storage);
    await store.prepareToWrite();
    const id = newSessionId();
    const name = nameOf(id);
    await storage.create(name, foreign);
    expect(await codeOf(openSession(store, id).then(write))).toBe('STORAGE_FAILED');
    expect(Buffer.from(await bodyOf(storage, name))).toEqual(foreign);
    expect((await namesOf(storage)).filter((found) => /^(data|manifests)/.test(found))).toEqual([]);
  });
});

test('a store is saved to and read through lost answers, once they are retried', async () => {
  const memory = new MemoryStorage();
  // One answer of six is lost, and some calls fail before, in an order that never repeats.
  const chances = contentOf(4000, 77);
  const faulty = new FaultStorage(memory, (_, __, index) => {
    const chance = chances[index % chances.length] as number;
    if (chance < 40) return { kind: 'after' };
    return chance < 60 ? { kind: 'before' } : undefined;
  });
  const storage = new RetryStorage(faulty, { sleep: async () => {} });
  const contents = [contentOf(10), contentOf(700_000), contentOf(0)];
  const saved = await freshStore(storage).saveBlobs(contents);
  for (const [index, content] of contents.entries()) {
    const { key } = saved[index] as (typeof saved)[number];
    expect(Buffer.compare(await freshStore(storage).reader.load({ key }), content)).toBe(0);
  }
  await freshStore(storage).release(saved[0]?.session as string);
});
