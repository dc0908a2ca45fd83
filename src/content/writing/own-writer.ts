import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { sealEnvelope } from '../../codec/envelope.ts';
import { prepareCodec } from '../../codec/zstd.ts';
import { digestHex } from '../../digest/blake3.ts';
import { throwIfAborted } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import { createOwn } from '../../format/create-own.ts';
import {
  MAX_OWN_OBJECT_BYTES,
  type OwnObject,
  type OwnValue,
  ownObjectName,
} from '../../format/own-values.ts';
import { placeMember } from '../../format/stored-content.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { ensureThere, settled } from '../../streams/lent-memory.ts';
import type { ContentPlace } from '../content-place.ts';
import type { StoreOptions } from './large-content.ts';
import type { SessionPins } from './session-pins.ts';

/** A small value that is to be stored. */
export type OwnInput = Omit<StoreOptions, 'signal'> & { bytes: Uint8Array };

/** An object of values that was written, and everything in it. */
export interface WrittenObject {
  object: string;
  bytes: number;
  place?: string;
  keys: ReadonlySet<ContentKey>;
}

/** A value that lies in an object of the attempt's own. */
export interface WrittenValue {
  key: ContentKey;
  /** Length of the value. */
  bytes: number;
  own: OwnValue;
  /** The same for all values of one object. */
  within: WrittenObject;
}

/** Envelopes on their way into one object. */
interface Filling {
  envelopes: Uint8Array[];
  bytes: number;
  /** By key: where each lies. */
  places: Map<ContentKey, Pick<OwnValue, 'offset' | 'storedBytes'> & { bytes: number }>;
}

/**
 * Writes small values into objects of an attempt's own (model: `write values`), without a look: one object for each 16 MiB. Results come in the order of
 * `values`; equal ones of one call are stored once.
 *
 * @param base the beginning of the objects' names
 */
export async function writeOwnValues(
  place: ContentPlace,
  base: string,
  session: SessionPins,
  values: readonly OwnInput[],
  options: CallOptions,
): Promise<WrittenValue[]> {
  await prepareCodec();
  const written = new Map<ContentKey, WrittenValue>();
  const keys: ContentKey[] = [];
  let filling: Filling = { envelopes: [], bytes: 0, places: new Map() };
  let counted = 0;
  const count = (): void => {
    for (; written.has(keys[counted] ?? ''); counted++) {
      const progress = values[counted]?.progress;
      progress?.add(written.get(keys[counted] as ContentKey)?.bytes ?? 0);
      progress?.itemDone();
    }
  };
  const flush = async (): Promise<void> => {
    const { envelopes, bytes: length, places } = filling;
    if (length === 0) return;
    filling = { envelopes: [], bytes: 0, places: new Map() };
    throwIfAborted(options.signal);
    // Each try has a number of its own, so that no name recurs.
    const object = ownObjectName(session.id, session.nextSequence());
    const body = Buffer.allocUnsafeSlow(length);
    let at = 0;
    for (const envelope of envelopes) {
      body.set(envelope, at);
      at += envelope.length;
      if (isTurnOver()) await nextTurn();
    }
    await createOwn(place.storage, base + object, body, { signal: options.signal, durability: 'deferred' });
    const where = placeMember(place.id);
    const within: WrittenObject = { object, bytes: length, ...where, keys: new Set(places.keys()) };
    for (const [key, { bytes, offset, storedBytes }] of places)
      written.set(key, { key, bytes, own: { object, offset, storedBytes, ...where }, within });
    count();
  };
  for (const value of values) {
    ensureThere(value.bytes);
    const bytes = settled(value.bytes);
    const key = digestHex(bytes);
    keys.push(key);
    if (written.has(key) || filling.places.has(key)) continue;
    const { compression = place.settings.compression, elementBytes } = value;
    const sealed = sealEnvelope('blob', bytes, { compression, elementBytes });
    if (filling.bytes + sealed.length > MAX_OWN_OBJECT_BYTES) await flush();
    filling.places.set(key, { bytes: bytes.length, offset: filling.bytes, storedBytes: sealed.length });
    filling.envelopes.push(sealed);
    filling.bytes += sealed.length;
    if (!isTurnOver()) continue;
    await nextTurn();
    throwIfAborted(options.signal);
  }
  await flush();
  count();
  return keys.map((key) => written.get(key) as WrittenValue);
}

/** The objects that hold values of rows, as a description lists them. */
export function ownObjectsOf(
  rows: Iterable<{ entry: { key: ContentKey }; within?: WrittenObject | undefined }>,
): OwnObject[] {
  const named = new Map<WrittenObject, Set<ContentKey>>();
  for (const { entry, within } of rows) {
    if (!within) continue;
    const keys = named.get(within);
    if (keys) keys.add(entry.key);
    else named.set(within, new Set([entry.key]));
  }
  return [...named].map(([{ object, bytes, place, keys }, live]) => ({
    object,
    bytes,
    dropped: [...keys].filter((key) => !live.has(key)),
    ...(place === undefined ? {} : { place }),
  }));
}
