import { createHasher } from '../../digest/blake3.ts';
import { plainName } from '../../format/content-names.ts';
import type { Locator } from '../../format/locator.ts';
import { PartDigests } from '../../format/plain-parts.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { type ContentSource, ensureBytes } from '../../streams/chunk-stream.ts';
import { settled } from '../../streams/lent-memory.ts';
import { changedMeanwhile, digestLent, ensureThere, piecesOf } from './lent-content.ts';
import type { SessionPins } from './session-pins.ts';
import type { UnnamedObjects } from './unnamed-objects.ts';

/**
 * Creates a plain object, unnamed yet, and describes it for its locator.
 *
 * @throws StowageError `INVALID_ARGUMENT` where the bytes were changed meanwhile
 */
export async function createPlain(
  session: SessionPins,
  file: string,
  source: ContentSource,
  unnamed: UnnamedObjects,
  options: CallOptions,
): Promise<Locator> {
  const plain = plainName(session.id, session.nextSequence(), file);
  const hasher = createHasher();
  const parts = new PartDigests();
  let bytes = 0;
  const observe = (piece: unknown): Uint8Array => {
    ensureBytes(piece);
    hasher.update(piece);
    parts.update(piece);
    bytes += piece.length;
    return piece;
  };
  const lent = source instanceof Uint8Array ? source : undefined;
  const isShared = lent?.buffer instanceof SharedArrayBuffer;
  let body = source;
  if (!lent || isShared) {
    // What is written of shared memory are the very copies that are hashed.
    const pieces = lent ? mapPieces(piecesOf(lent, options), settled) : source;
    body = mapPieces(pieces as AsyncIterable<Uint8Array>, observe);
  }
  try {
    if (lent && !isShared) for await (const piece of piecesOf(lent, options)) observe(piece);
    await unnamed.create(plain, body, options);
  } finally {
    if (lent) ensureThere(lent);
  }
  const key = hasher.digestHex();
  // Large bodies are written in the background, from the caller's own bytes.
  if (lent && !isShared && (await digestLent(lent, options)) !== key) throw changedMeanwhile();
  return { key, plain, bytes, parts: parts.finish() };
}

async function* mapPieces(
  source: AsyncIterable<Uint8Array>,
  map: (piece: Uint8Array) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) yield map(piece);
}
