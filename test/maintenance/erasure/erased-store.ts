import {
  ENVELOPE_HEADER_BYTES,
  type EnvelopeHeader,
  openEnvelope,
  readEnvelopeHeader,
} from '../../../src/codec/envelope.ts';
import { prepareCodec } from '../../../src/codec/zstd.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { objectNames } from '../../flow/fixtures.ts';

/** Pieces of this length are looked for. */
const PIECE_BYTES = 32;
/** No chunk is so short that it holds none. */
const STEP_BYTES = 4 * 1024;

/** The objects of a store in which a piece of a content is, as it lies or unpacked. Of one piece each, but those that `others` have too. */
export async function objectsWith(
  storage: DataStoreStorage,
  content: Uint8Array,
  others: readonly Uint8Array[] = [],
): Promise<string[]> {
  await prepareCodec();
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at + PIECE_BYTES <= content.length; at += STEP_BYTES) {
    const piece = Buffer.from(content.subarray(at, at + PIECE_BYTES));
    if (!others.some((other) => Buffer.from(other).includes(piece))) pieces.push(piece);
  }
  const texts = [Buffer.from(content).toString('base64').slice(4, 64)];
  const found: string[] = [];
  for (const name of await objectNames(storage)) {
    const body = Buffer.from((await storage.get(name))?.body ?? new Uint8Array());
    const all = [body, ...unpacked(body)];
    const has = all.some((bytes) => pieces.some((piece) => bytes.includes(piece)));
    if (has || (content.length > 48 && texts.some((text) => body.includes(text)))) found.push(name);
  }
  return found;
}

/** What envelopes hold that lie one after the other. */
function unpacked(body: Buffer): Buffer[] {
  const raws: Buffer[] = [];
  let rest: Uint8Array = body;
  while (rest.length > 0) {
    let header: EnvelopeHeader;
    try {
      header = readEnvelopeHeader(rest);
    } catch {
      return raws; // no envelope
    }
    const length = ENVELOPE_HEADER_BYTES + header.storedBytes;
    raws.push(Buffer.from(openEnvelope(rest.subarray(0, length), { kind: header.kind }).raw));
    rest = rest.subarray(length);
  }
  return raws;
}
