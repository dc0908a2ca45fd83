import { mapBounded } from '../../async/bounded-work.ts';
import { openEnvelope, readEnvelopeHeader } from '../../codec/envelope.ts';
import { prepareCodec } from '../../codec/zstd.ts';
import { digestHex } from '../../digest/blake3.ts';
import { isStowageError, type StowageError } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import type { OwnValue } from '../../format/own-values.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { type JoinedRange, joinRanges } from '../../streams/joined-ranges.ts';
import { damagedObject, objectGone, reasonOf } from '../damage.ts';
import { OTHER_CONTENT } from './copy-reader.ts';

/** A value that lies in an object of an attempt's own. */
export interface OwnAddress {
  key: ContentKey;
  /** Length of the value. */
  bytes: number;
  own: OwnValue;
}

/** Neighbours in one object are read together. */
const LIMITS = { maxGapBytes: 128 * 1024, maxBytes: 4 * 1024 * 1024 };
const CONCURRENCY = 8;

/**
 * Reads values of one attempt, by as few ranges of its objects as they take, and verifies each. Those that cannot be had are in
 * `failed`.
 *
 * @param base the beginning of the objects' names
 */
export async function readOwnValues(
  storage: DataStoreStorage,
  base: string,
  values: readonly OwnAddress[],
  options: CallOptions,
): Promise<{ read: Map<ContentKey, Uint8Array>; failed: Map<ContentKey, StowageError> }> {
  await prepareCodec();
  const read = new Map<ContentKey, Uint8Array>();
  const failed = new Map<ContentKey, StowageError>();
  const readSpans = async (wanted: readonly OwnAddress[]): Promise<void> => {
    await mapBounded(spansOf(wanted), CONCURRENCY, async ({ object, offset, length, items }) => {
      const name = base + object;
      const part = await storage.get(name, { signal: options.signal, range: { offset, length } });
      for (const { key, bytes, own } of items) {
        const start = own.offset - offset;
        try {
          if (!part) throw objectGone(name);
          read.set(key, open(name, key, bytes, part.body.subarray(start, start + own.storedBytes)));
        } catch (error) {
          if (!isStowageError(error, 'CONTENT_DAMAGED', 'CONTENT_NOT_FOUND', 'UNSUPPORTED_FORMAT'))
            throw error;
          failed.set(key, error);
        }
      }
    });
  };
  const distinct = [...new Map(values.map((value) => [value.key, value])).values()];
  await readSpans(distinct);
  // Bytes may have been changed on their way: what is found damaged is read once more.
  const doubtful = distinct.filter(({ key }) => failed.get(key)?.code === 'CONTENT_DAMAGED');
  if (doubtful.length > 0) {
    for (const { key } of doubtful) failed.delete(key);
    await readSpans(doubtful);
  }
  return { read, failed };
}

function open(name: string, key: ContentKey, bytes: number, envelope: Uint8Array): Uint8Array {
  let raw: Uint8Array;
  try {
    // Before it is unpacked: a row of few bytes asks for no more.
    if (readEnvelopeHeader(envelope).rawBytes !== bytes) throw damagedObject(name, OTHER_CONTENT);
    raw = openEnvelope(envelope, { kind: ['blob'] }).raw;
  } catch (error) {
    if (isStowageError(error, 'CONTENT_DAMAGED')) throw damagedObject(name, reasonOf(error));
    throw error;
  }
  if (digestHex(raw) !== key) throw damagedObject(name, OTHER_CONTENT);
  return raw.buffer === envelope.buffer ? raw.slice() : raw; // no value keeps its neighbours in memory
}

/** The parts to read, object by object. */
function spansOf(values: readonly OwnAddress[]): ({ object: string } & JoinedRange<OwnAddress>)[] {
  const byObject = new Map<string, OwnAddress[]>();
  for (const value of values) {
    const { object } = value.own;
    const others = byObject.get(object);
    if (others) others.push(value);
    else byObject.set(object, [value]);
  }
  const rangeOf = ({ own }: OwnAddress): { offset: number; length: number } => ({
    offset: own.offset,
    length: own.storedBytes,
  });
  return [...byObject].flatMap(([object, within]) =>
    joinRanges(within, rangeOf, LIMITS).map((joined) => ({ object, ...joined })),
  );
}
