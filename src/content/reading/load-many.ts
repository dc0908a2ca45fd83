import { mapAhead } from '../../async/ahead.ts';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { CHUNKED_FROM_BYTES, type ContentKey } from '../../format/content-names.ts';
import type { ContentAddress } from '../../format/stored-content.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { ContentReader, LoadOptions } from './content-reader.ts';

/** So many contents, of so many bytes, are loaded before anybody takes them; a larger one is loaded by itself. */
const AHEAD = 32;
const AHEAD_BYTES = 32 * 1024 * 1024;
/** What is in a cache may have any length where that is not known, and counts as so much. */
const CACHED_BYTES = AHEAD_BYTES / 4;

/** A content that was loaded. */
export interface LoadedContent {
  key: ContentKey;
  blob: Uint8Array;
}

/**
 * Loads contents side by side, and yields them in order. Of those whose length is not known only small ones are loaded ahead of their
 * turn.
 *
 * @param addressesOf - the contents, which end by the signal they are given
 * @throws StowageError as `ContentReader.load`, in the turn of the content that cannot be had
 */
export async function* loadMany(
  reader: ContentReader,
  addressesOf: (options: CallOptions) => Iterable<ContentAddress> | AsyncIterable<ContentAddress>,
  { signal, progress }: LoadOptions,
): AsyncGenerator<LoadedContent, void> {
  const call = new LinkedAbort(signal);
  const options = { signal: call.signal, progress };
  const unknownBytes = reader.hasCache ? CACHED_BYTES : CHUNKED_FROM_BYTES;
  const weightOf = ({ bytes = unknownBytes }: ContentAddress): number => bytes;
  const ahead = { limit: AHEAD, maxWeight: AHEAD_BYTES, weightOf, call };
  const loading = mapAhead(addressesOf({ signal: call.signal }), ahead, async (address) => {
    const { key, bytes } = address;
    const loaded = await (bytes === undefined
      ? reader.loadSmall(address, options)
      : reader.load(address, options));
    return { key, loaded };
  });
  try {
    for await (const { key, loaded } of loading) {
      const blob =
        loaded instanceof Uint8Array ? loaded : await reader.load(loaded, { ...options, isAsked: true });
      progress?.itemDone();
      yield { key, blob };
    }
  } finally {
    call.release();
  }
}
