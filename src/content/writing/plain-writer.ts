import { createHasher, digestHex } from '../../digest/blake3.ts';
import { plainName } from '../../format/content-names.ts';
import type { Locator } from '../../format/locator.ts';
import { PartDigests } from '../../format/plain-parts.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { type ContentSource, ensureBytes } from '../../streams/chunk-stream.ts';
import { changedMeanwhile, ensureThere } from './large-content.ts';
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
  try {
    await unnamed.create(
      plain,
      source instanceof Uint8Array ? observe(source) : mapPieces(source, observe),
      options,
    );
  } finally {
    if (lent) ensureThere(lent);
  }
  const key = hasher.digestHex();
  // Large bodies are written in the background, from the caller's own bytes.
  if (lent && digestHex(lent) !== key) throw changedMeanwhile();
  return { key, plain, bytes, parts: parts.finish() };
}

async function* mapPieces(
  source: AsyncIterable<Uint8Array>,
  map: (piece: unknown) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) yield map(piece);
}
