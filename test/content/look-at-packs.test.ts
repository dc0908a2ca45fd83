import fc from 'fast-check';
import { expect } from 'vitest';
import { lookAt, lookAtPacks } from '../../src/content/copies.ts';
import { damagedMarkOf, packName } from '../../src/format/content-names.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { test } from '../property.ts';

const SESSIONS = ['0'.repeat(26), '0'.repeat(25).concat('1')] as const;
const pack = fc
  .tuple(fc.constantFrom(...SESSIONS), fc.oneof(fc.nat(30), fc.nat(2_000)))
  .map(([session, sequence]) => packName(session, sequence));

test.prop([
  fc.array(fc.record({ name: pack, bytes: fc.nat(3), marked: fc.boolean() }), { maxLength: 40 }),
  fc.array(pack, { maxLength: 12 }),
])('packs looked at together look as they do one by one', async (stored, asked) => {
  const storage = new MemoryStorage();
  for (const { name, bytes, marked } of stored) {
    await storage.create(name, new Uint8Array(bytes));
    if (marked) await storage.create(damagedMarkOf(name), new Uint8Array(0));
  }
  const together = await lookAtPacks(storage, asked);
  const oneByOne = new Map<string, unknown>();
  for (const name of asked) {
    const presence = await lookAt(storage, name);
    if (presence) oneByOne.set(name, presence);
  }
  expect(new Map([...together].sort())).toEqual(new Map([...oneByOne].sort()));
});

test('the packs of one content take one LIST, and those of a long session no more than one each', async () => {
  const storage = new CountStorage(new MemoryStorage());
  const names = Array.from({ length: 2_500 }, (_, sequence) => packName(SESSIONS[0], sequence));
  for (const name of names) await storage.create(name, new Uint8Array(1));
  const requestsFor = async (asked: string[]): Promise<number> => {
    storage.reset();
    expect((await lookAtPacks(storage, asked)).size).toBe(asked.length);
    return storage.snapshot().requests;
  };
  expect(await requestsFor(names.slice(2_000, 2_007))).toBe(1);
  expect(await requestsFor([0, 900, 1_800].map((sequence) => packName(SESSIONS[0], sequence)))).toBe(3);
});
