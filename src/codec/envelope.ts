import { digestHex } from '../digest/blake3.ts';
import { StowageError } from '../errors.ts';
import { MAX_ELEMENT_BYTES, MIN_ELEMENT_BYTES } from './grouping.ts';
import {
  type Codec,
  decodePayload,
  decodePayloadInto,
  type EncodedPayload,
  encodePayload,
  type PayloadOptions,
} from './payload.ts';

export type { Codec, Compression } from './payload.ts';

/*
 * The header, little-endian:
 *
 *    0  u32      0x184D2A57, the magic number of a zstd skippable frame
 *    4  u32      40, the length of what the skippable frame holds
 *    8  4 bytes  'STWG'
 *   12  u8       version: 1
 *   13  u8       kind: 1 blob, 2 manifest, 3 chunk, 4 chunk group, 5 locator
 *   14  u8       codec: 0 raw, 1 zstd, 2 byte-grouped zstd
 *   15  u8       width of an element in bytes; 0 unless the codec is 2
 *   16  u8       cipher: 0 none (others are reserved)
 *   17  u8       hash: 0 BLAKE3-256 without a key (others are reserved)
 *   18  6 bytes  zero (reserved)
 *   24  u64      length of the raw bytes
 *   32  u64      length of the payload, which follows the header; at most that of the raw bytes
 *   40  8 bytes  the first 8 bytes of BLAKE3 of bytes 0 to 39
 *
 * A zstd decoder skips the header, so that `zstd -d` opens an envelope whose codec is 1. The checksum covers the header
 * only: whoever opens an envelope compares the digest of the raw bytes with their key, so that the payload need not be
 * hashed twice.
 */
const SKIPPABLE_MAGIC = 0x184d2a57;
const SKIPPABLE_BYTES = 40;
const STWG = 0x47575453;
const VERSION = 1;
const CHECKED_BYTES = 40;

/** The length of an envelope without its payload. */
export const ENVELOPE_HEADER_BYTES = 48;
/** The most raw bytes that one envelope holds; readers refuse to allocate more. */
export const MAX_ENVELOPE_RAW_BYTES: number = 16 * 1024 * 1024;

/** The content of an envelope. */
export type EnvelopeKind = 'blob' | 'manifest' | 'chunk' | 'group' | 'locator';

/** The header of an envelope. */
export interface EnvelopeHeader {
  kind: EnvelopeKind;
  codec: Codec;
  /** The width of grouped elements; 0 unless the codec is `grouped-zstd`. */
  elementBytes: number;
  rawBytes: number;
  /** The length of the payload; the envelope is {@link ENVELOPE_HEADER_BYTES} longer. */
  storedBytes: number;
}

const KINDS: readonly EnvelopeKind[] = ['blob', 'manifest', 'chunk', 'group', 'locator'];
const CODECS: readonly Codec[] = ['raw', 'zstd', 'grouped-zstd'];

/**
 * Puts `raw` into an envelope: header and payload, in a new buffer of exactly that length.
 *
 * @throws StowageError `CONTENT_TOO_LARGE` above {@link MAX_ENVELOPE_RAW_BYTES}; `INVALID_ARGUMENT` for wrong options.
 */
export function sealEnvelope(kind: EnvelopeKind, raw: Uint8Array, options: PayloadOptions = {}): Uint8Array {
  checkLength(raw);
  const encoded = encodePayload(raw, options);
  const target = new Uint8Array(ENVELOPE_HEADER_BYTES + encoded.payload.length);
  writeEnvelope(target, 0, kind, raw.length, encoded);
  return target;
}

/** Writes an envelope to `target` at `offset`, where there has to be room for it, and returns the offset after it. */
export function writeEnvelope(
  target: Uint8Array,
  offset: number,
  kind: EnvelopeKind,
  rawBytes: number,
  { codec, elementBytes, payload }: EncodedPayload,
): number {
  writeHeader(target, offset, { kind, codec, elementBytes, rawBytes, storedBytes: payload.length });
  target.set(payload, offset + ENVELOPE_HEADER_BYTES);
  return offset + ENVELOPE_HEADER_BYTES + payload.length;
}

function checkLength(raw: Uint8Array): void {
  if (raw.length <= MAX_ENVELOPE_RAW_BYTES) return;
  throw new StowageError(
    'CONTENT_TOO_LARGE',
    `An envelope holds at most ${MAX_ENVELOPE_RAW_BYTES} bytes, not ${raw.length}; larger content is chunked.`,
    { details: { rawBytes: raw.length, maxRawBytes: MAX_ENVELOPE_RAW_BYTES } },
  );
}

function writeHeader(target: Uint8Array, offset: number, header: EnvelopeHeader): void {
  const view = new DataView(target.buffer, target.byteOffset + offset, ENVELOPE_HEADER_BYTES);
  view.setUint32(0, SKIPPABLE_MAGIC, true);
  view.setUint32(4, SKIPPABLE_BYTES, true);
  view.setUint32(8, STWG, true);
  view.setUint8(12, VERSION);
  view.setUint8(13, KINDS.indexOf(header.kind) + 1);
  view.setUint8(14, CODECS.indexOf(header.codec));
  view.setUint8(15, header.elementBytes);
  // The buffer may have been used before: reserved bytes are written too.
  view.setUint32(16, 0, true);
  view.setUint32(20, 0, true);
  view.setUint32(24, header.rawBytes, true);
  view.setUint32(28, 0, true);
  view.setUint32(32, header.storedBytes, true);
  view.setUint32(36, 0, true);
  const digest = digestHex(target.subarray(offset, offset + CHECKED_BYTES));
  view.setUint32(40, Number.parseInt(digest.slice(0, 8), 16));
  view.setUint32(44, Number.parseInt(digest.slice(8, 16), 16));
}

/**
 * Reads and checks the header of the envelope at `offset`. The payload need not be there.
 *
 * @throws StowageError `CONTENT_DAMAGED`; `UNSUPPORTED_FORMAT` where a newer Stowage wrote it.
 */
export function readEnvelopeHeader(bytes: Uint8Array, offset = 0): EnvelopeHeader {
  if (offset < 0 || offset + ENVELOPE_HEADER_BYTES > bytes.length) {
    throw damaged(`it has only ${Math.max(0, bytes.length - offset)} bytes, fewer than a header`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, ENVELOPE_HEADER_BYTES);
  const hasMagic =
    view.getUint32(0, true) === SKIPPABLE_MAGIC &&
    view.getUint32(4, true) === SKIPPABLE_BYTES &&
    view.getUint32(8, true) === STWG;
  if (!hasMagic) throw damaged('it does not begin as an envelope');
  const digest = digestHex(bytes.subarray(offset, offset + CHECKED_BYTES));
  const isWhole =
    view.getUint32(40) === Number.parseInt(digest.slice(0, 8), 16) &&
    view.getUint32(44) === Number.parseInt(digest.slice(8, 16), 16);
  if (!isWhole) throw damaged('the checksum of its header does not match');

  const version = view.getUint8(12);
  const kind = KINDS[view.getUint8(13) - 1];
  const codec = CODECS[view.getUint8(14)];
  if (version > VERSION) throw unsupported('version', version);
  if (kind === undefined) throw unsupported('kind', view.getUint8(13));
  if (codec === undefined) throw unsupported('codec', view.getUint8(14));
  if (view.getUint8(16) !== 0) throw unsupported('cipher', view.getUint8(16));
  if (view.getUint8(17) !== 0) throw unsupported('hash', view.getUint8(17));
  if (view.getUint16(18, true) !== 0 || view.getUint32(20, true) !== 0) {
    throw unsupported('reserved field', view.getUint32(20, true) || view.getUint16(18, true));
  }

  const elementBytes = view.getUint8(15);
  const rawBytes = view.getUint32(24, true) + view.getUint32(28, true) * 2 ** 32;
  const storedBytes = view.getUint32(32, true) + view.getUint32(36, true) * 2 ** 32;
  const isConsistent =
    version === VERSION &&
    rawBytes <= MAX_ENVELOPE_RAW_BYTES &&
    (codec === 'raw' ? storedBytes === rawBytes : storedBytes < rawBytes) &&
    (codec === 'grouped-zstd'
      ? elementBytes >= MIN_ELEMENT_BYTES && elementBytes <= MAX_ELEMENT_BYTES
      : elementBytes === 0);
  if (!isConsistent) throw damaged('its header contradicts itself');
  return { kind, codec, elementBytes, rawBytes, storedBytes };
}

/**
 * Opens an envelope that is all of `bytes`. The raw bytes are verified by no digest yet, and may be a view of `bytes`.
 *
 * @param options.kind - what it has to hold; default: anything.
 * @throws StowageError `CONTENT_DAMAGED`; `UNSUPPORTED_FORMAT` where a newer Stowage wrote it.
 */
export function openEnvelope(
  bytes: Uint8Array,
  options: { kind?: EnvelopeKind | readonly EnvelopeKind[] } = {},
): { header: EnvelopeHeader; raw: Uint8Array } {
  const header = checkedHeader(bytes, bytes.length, options.kind);
  const payload = bytes.subarray(ENVELOPE_HEADER_BYTES);
  return { header, raw: decodePayload(header.codec, header.elementBytes, payload, header.rawBytes) };
}

/**
 * Opens an envelope of `bytes` into `target`, whose length is that of the raw bytes. The header may lie apart from the payload, which
 * may be in its place in `target` already, where it is raw.
 *
 * @throws StowageError as {@link openEnvelope}
 */
export function openEnvelopeInto(
  target: Uint8Array,
  { head, payload }: { head: Uint8Array; payload: Uint8Array },
  kind: EnvelopeKind,
): void {
  const header = checkedHeader(head, ENVELOPE_HEADER_BYTES + payload.length, kind);
  if (header.rawBytes !== target.length) {
    throw damaged(`it holds ${header.rawBytes} bytes, not ${target.length}`);
  }
  if (payload === target) return; // its length says that it is raw
  decodePayloadInto(target, header.codec, header.elementBytes, payload);
}

function checkedHeader(
  bytes: Uint8Array,
  length: number,
  expected: EnvelopeKind | readonly EnvelopeKind[] | undefined,
): EnvelopeHeader {
  const header = readEnvelopeHeader(bytes);
  const isExpected =
    expected === undefined ||
    expected === header.kind ||
    (expected as readonly string[]).includes(header.kind);
  if (!isExpected) throw damaged(`it is a ${header.kind}, not a ${String(expected)}`);
  const payloadBytes = length - ENVELOPE_HEADER_BYTES;
  if (payloadBytes !== header.storedBytes) {
    throw damaged(`its payload has ${payloadBytes} bytes, not ${header.storedBytes}`);
  }
  return header;
}

function damaged(how: string): StowageError {
  return new StowageError('CONTENT_DAMAGED', `An envelope is damaged: ${how}.`, {
    details: { reason: `its envelope: ${how}` },
  });
}

function unsupported(field: string, value: number): StowageError {
  return new StowageError(
    'UNSUPPORTED_FORMAT',
    `An envelope has the ${field} ${value}, which this version of Stowage does not know; upgrade Stowage to read it.`,
    { details: { field, value } },
  );
}
