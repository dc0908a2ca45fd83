import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import vector from '../../docs/format-vectors/store.json' with { type: 'json' };
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { encodeObjectName, type NameEncoding } from '../../src/storage/names.ts';

/** The objects of `docs/format-vectors/store.json` by their names. */
export const storeObjects: ReadonlyMap<string, Uint8Array> = new Map(
  Object.entries(vector.objects).map(([name, body]) => [
    name,
    Uint8Array.from('text' in body ? Buffer.from(body.text) : Buffer.from(body.base64, 'base64')),
  ]),
);

/** What a reader finds in that store. */
export const expectedInStore: (typeof vector)['expected'] = vector.expected;

/** That store, in memory. */
export async function storeInMemory(): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  for (const [name, bytes] of storeObjects) await storage.create(name, bytes);
  return storage;
}

/** That store as files; stowage.json tells how they are named. */
export function storeInFolder(folder: string, names: NameEncoding = 'exact'): void {
  for (const [name, bytes] of storeObjects) {
    const path = join(folder, encodeObjectName(name, names));
    mkdirSync(dirname(path), { recursive: true });
    const isIdentity = name === 'stowage.json';
    writeFileSync(path, isIdentity ? encodeRecord({ ...decodeRecord(bytes, name), names }) : bytes);
  }
}
