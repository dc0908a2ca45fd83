import { expect, it } from 'vitest';
import { SessionPins } from '../../src/content/writing/session-pins.ts';
import { type ContentRef, HERE } from '../../src/format/content-ref.ts';
import { decodePins, MAX_PINS_A_RECORD } from '../../src/format/open-session.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { objectNames } from '../flow/fixtures.ts';

it('many pins go into several records, which a database takes', async () => {
  const storage = new MemoryStorage();
  const pins = new SessionPins(storage);
  const keys = Array.from({ length: 2 * MAX_PINS_A_RECORD + 1 }, (_, i) => i.toString(16).padStart(64, '0'));
  const entries = keys.map((name): ContentRef => ({ place: HERE, kind: 'key', name }));
  await pins.pin(entries);
  await pins.pin(entries); // known
  expect(pins.has(entries)).toBe(true);

  const names = await objectNames(storage, 'pins/');
  expect(names).toHaveLength(3);
  const read = [];
  for (const name of names) {
    const { body, bytes } = (await storage.get(name)) as NonNullable<Awaited<ReturnType<typeof storage.get>>>;
    expect(bytes).toBeLessThan(4 * 1024 * 1024);
    read.push(...decodePins(body, name, pins.id));
  }
  expect(read.map(({ name }) => name)).toEqual(keys);
});
