import { setImmediate } from 'node:timers/promises';
import { createHasher, digestHex } from '../digest/blake3.ts';
import { throwIfAborted } from '../errors.ts';
import type { ContentAddress } from '../format/stored-content.ts';
import type { CallOptions } from '../storage/contract.ts';

/** Hashed in one go, which takes a millisecond or two. */
const TURN_BYTES = 8 * 1024 * 1024;

/** Whether these bytes are the content at `address`. Large ones are hashed in turns with whatever else the process does. */
export async function isContent(
  bytes: Uint8Array,
  address: ContentAddress,
  { signal }: CallOptions,
): Promise<boolean> {
  if (address.bytes !== undefined && address.bytes !== bytes.length) return false;
  if (bytes.length <= TURN_BYTES) return digestHex(bytes) === address.key;
  const hasher = createHasher();
  for (let start = 0; start < bytes.length; start += TURN_BYTES) {
    hasher.update(bytes.subarray(start, start + TURN_BYTES));
    await setImmediate();
    throwIfAborted(signal);
  }
  return hasher.digestHex() === address.key;
}
