import { digestHex } from '../digest/blake3.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { Stretch } from './chunk-reader.ts';
import { damagedObject, objectGone } from './copy-faults.ts';
import type { Locator } from './locator.ts';
import { PLAIN_PART_BYTES } from './plain-parts.ts';

/** The bytes of a stretch of a plain object, part by part, each verified before it is given. */
export async function* readPlain(
  storage: DataStoreStorage,
  { plain, bytes, key, parts }: Locator,
  { start, end }: Stretch,
  { signal }: CallOptions,
): AsyncGenerator<Uint8Array> {
  const stop = Math.min(end, bytes);
  for (let part = Math.floor(start / PLAIN_PART_BYTES); part * PLAIN_PART_BYTES < stop; part++) {
    const offset = part * PLAIN_PART_BYTES;
    const length = Math.min(PLAIN_PART_BYTES, bytes - offset);
    const object = await storage.get(plain, { signal, range: { offset, length } });
    if (!object) throw objectGone(plain);
    if (object.bytes !== bytes || object.body.length !== length) {
      throw damagedObject(plain, `it has ${object.bytes} bytes instead of ${bytes}`);
    }
    if (digestHex(object.body) !== (parts[part] ?? key)) {
      throw damagedObject(plain, `its part at ${offset} does not match its digest`);
    }
    const wanted = object.body.subarray(Math.max(0, start - offset), stop - offset);
    if (wanted.length > 0) yield wanted;
  }
}
