import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { createHasher, digestHex } from '../../digest/blake3.ts';
import { throwIfAborted } from '../../errors.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { ensureThere } from '../../streams/lent-memory.ts';

/** So much is hashed at once: at 2 GB/s half a millisecond. */
const PIECE_BYTES = 1024 * 1024;

/**
 * The digest of memory that a caller lent. Where that takes milliseconds the event loop gets its turns, in which the caller may change
 * the bytes: whoever stores them compares the digest again.
 *
 * @throws StowageError `INVALID_ARGUMENT` where the memory is transferred meanwhile; `ABORTED`
 */
export async function digestLent(lent: Uint8Array, { signal }: CallOptions): Promise<string> {
  ensureThere(lent); // it would be taken for nothing
  if (lent.length <= PIECE_BYTES) return digestHex(lent);
  const hasher = createHasher();
  for await (const piece of piecesOf(lent, { signal })) hasher.update(piece);
  return hasher.digestHex();
}

/**
 * Views of memory that a caller lent, one after the other, between which the event loop gets its turns.
 *
 * @throws StowageError `INVALID_ARGUMENT` where the memory is transferred meanwhile; `ABORTED`
 */
export async function* piecesOf(lent: Uint8Array, { signal }: CallOptions): AsyncGenerator<Uint8Array> {
  const { length } = lent;
  for (let start = 0; start < length; start += PIECE_BYTES) {
    yield lent.subarray(start, start + PIECE_BYTES);
    if (!isTurnOver()) continue;
    await nextTurn();
    throwIfAborted(signal);
    ensureThere(lent);
  }
}
