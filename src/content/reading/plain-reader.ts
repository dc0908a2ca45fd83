import { digestHex } from '../../digest/blake3.ts';
import type { Locator } from '../../format/locator.ts';
import { PLAIN_PART_BYTES } from '../../format/plain-parts.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { readInto } from '../../storage/read-into.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import { damagedObject, objectGone } from '../damage.ts';
import type { Assembly } from './assembly.ts';
import type { Stretch } from './chunk-windows.ts';

/**
 * The bytes of a stretch of a plain object, part by part, each verified before it is given, a few fetched ahead, in their place in
 * `assembly`, if there is one.
 */
export async function* readPlain(
  storage: DataStoreStorage,
  locator: Locator,
  { start, end }: Stretch,
  options: CallOptions,
  assembly?: Assembly,
): AsyncGenerator<Uint8Array> {
  const stop = Math.min(end, locator.bytes);
  const fetch = (part: number, calling: CallOptions): Promise<Uint8Array> => {
    const offset = part * PLAIN_PART_BYTES;
    const length = Math.min(PLAIN_PART_BYTES, locator.bytes - offset);
    const isWithin = offset >= start && offset + length <= stop;
    const memory = isWithin ? assembly?.memoryFor(offset, length) : undefined;
    const target = memory ?? new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    return fetchPart(storage, locator, part, target, calling);
  };
  for await (const { item: part, result: body } of readAhead(partsOf(start, stop), fetch, options)) {
    const offset = part * PLAIN_PART_BYTES;
    const wanted = body.subarray(Math.max(0, start - offset), stop - offset);
    if (wanted.length > 0) yield wanted;
  }
}

function* partsOf(start: number, stop: number): Generator<number> {
  for (let part = Math.floor(start / PLAIN_PART_BYTES); part * PLAIN_PART_BYTES < stop; part++) yield part;
}

async function fetchPart(
  storage: DataStoreStorage,
  { plain, bytes, key, parts }: Locator,
  part: number,
  target: Uint8Array,
  { signal }: CallOptions,
): Promise<Uint8Array> {
  const offset = part * PLAIN_PART_BYTES;
  const object = await readInto(storage, plain, { offset, into: [target] }, { signal });
  if (!object) throw objectGone(plain);
  if (object.bytes !== bytes || object.filled !== target.length) {
    throw damagedObject(plain, `it has ${object.bytes} bytes instead of ${bytes}`);
  }
  if (digestHex(target) !== (parts[part] ?? key)) {
    throw damagedObject(plain, `its part at ${offset} does not match its digest`);
  }
  return target;
}
