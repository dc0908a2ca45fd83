import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeObjectName } from '../../src/storage/names.ts';

/** The objects of a vector that holds a store, by their names. */
export function bytesOf(objects: Record<string, object>): ReadonlyMap<string, Uint8Array> {
  return new Map(
    Object.entries(objects).map(([name, body]) => {
      const { text: plain, base64 = '' } = body as { text?: string; base64?: string };
      return [
        name,
        Uint8Array.from(plain === undefined ? Buffer.from(base64, 'base64') : Buffer.from(plain)),
      ];
    }),
  );
}

/** Writes them as files of a store in a folder. */
export function inFolder(folder: string, objects: ReadonlyMap<string, Uint8Array>): void {
  for (const [name, bytes] of objects) {
    const path = join(folder, encodeObjectName(name, 'exact'));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}
