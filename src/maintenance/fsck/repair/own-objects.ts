import { ENVELOPE_HEADER_BYTES, openEnvelope, readEnvelopeHeader } from '../../../codec/envelope.ts';
import { prepareCodec } from '../../../codec/zstd.ts';
import type { WrittenValue } from '../../../content/writing/own-writer.ts';
import type { ContentAddressedStore } from '../../../content-addressed-store.ts';
import { digestHex } from '../../../digest/blake3.ts';
import { isStowageError } from '../../../errors.ts';
import type { ContentKey } from '../../../format/content-names.ts';
import { MAX_OWN_OBJECT_BYTES } from '../../../format/own-values.ts';
import { placeMember } from '../../../format/stored-content.ts';
import type { CallOptions } from '../../../storage/contract.ts';
import { placesOf } from './repair-context.ts';

/**
 * The values that lie whole in an attempt's objects of values, by key, as if they were written just now: envelopes tell all that a row says of
 * them.
 *
 * @param base the beginning of the objects' names
 */
export async function ownValuesIn(
  store: ContentAddressedStore,
  base: string,
  options: CallOptions,
): Promise<Map<ContentKey, WrittenValue>> {
  await prepareCodec();
  const values = new Map<ContentKey, WrittenValue>();
  for (const place of await placesOf(store, options)) {
    const { storage } = await store.at(place, options);
    for await (const page of storage.list({ prefix: base, ...options })) {
      for (const { name } of page.objects) {
        const object = await storage.get(name, { ...options, maxBytes: MAX_OWN_OBJECT_BYTES });
        if (object) addValues(values, name.slice(base.length), object.body, place);
      }
    }
  }
  return values;
}

function addValues(
  values: Map<ContentKey, WrittenValue>,
  object: string,
  body: Uint8Array,
  place: string,
): void {
  const keys = new Set<ContentKey>();
  const where = placeMember(place);
  const within = { object, bytes: body.length, ...where, keys };
  for (let offset = 0; offset < body.length; ) {
    try {
      const storedBytes = ENVELOPE_HEADER_BYTES + readEnvelopeHeader(body, offset).storedBytes;
      const envelope = body.subarray(offset, offset + storedBytes);
      const start = offset;
      offset += storedBytes;
      const { raw } = openEnvelope(envelope, { kind: 'blob' });
      const key = digestHex(raw);
      keys.add(key);
      if (!values.has(key))
        values.set(key, {
          key,
          bytes: raw.length,
          own: { object, offset: start, storedBytes, ...where },
          within,
        });
    } catch (error) {
      if (!isStowageError(error, 'CONTENT_DAMAGED', 'UNSUPPORTED_FORMAT')) throw error;
      if (offset + ENVELOPE_HEADER_BYTES > body.length || !isHeader(body, offset)) return;
    }
  }
}

/** True where an envelope begins, so that what lies before it may be damaged alone. */
function isHeader(body: Uint8Array, offset: number): boolean {
  try {
    readEnvelopeHeader(body, offset);
    return true;
  } catch (error) {
    if (!isStowageError(error, 'CONTENT_DAMAGED', 'UNSUPPORTED_FORMAT')) throw error;
    return false;
  }
}
