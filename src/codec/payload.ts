import { invalidArgument } from '../errors.ts';
import { MAX_ELEMENT_BYTES, MIN_ELEMENT_BYTES } from './grouping.ts';
import { groupBytes, ungroupBytes } from './kernel.ts';
import { compressInto, decompress, MAX_ZSTD_LEVEL, MIN_ZSTD_LEVEL, maxFrameBytes } from './zstd.ts';

/** The encoding of a payload. */
export type Codec = 'raw' | 'zstd' | 'grouped-zstd';

/**
 * The compression of content. `auto` (the default) tries a sample of each object or chunk: raw where zstd gains under
 * 5 %, byte grouping before zstd where the width of the elements is known and it wins. A named codec is used without a
 * trial, `grouped-zstd` as `zstd` where no element width is known. What does not become smaller is stored as it is.
 * `level` is zstd's, 1 to 22, default 3.
 */
export type Compression = 'auto' | 'none' | { codec: 'zstd' | 'grouped-zstd'; level?: number };

/** Options of {@link encodePayload}. */
export interface PayloadOptions {
  /** Default: `auto`. */
  compression?: Compression | undefined;
  /** The width, in bytes, of the elements of an array of numbers, up to 16. Default: 0, no such array. */
  elementBytes?: number | undefined;
}

/** Bytes as they will be stored. */
export interface EncodedPayload {
  codec: Codec;
  /** The width of grouped elements; 0 unless the codec is `grouped-zstd`. */
  elementBytes: number;
  /** Never longer than the raw bytes. A view, valid until the next payload is encoded. */
  payload: Uint8Array;
}

const DEFAULT_LEVEL = 3;
/** Samples are compressed to be measured, not kept. */
const SAMPLE_LEVEL = 1;
const SAMPLE_PIECES = 4;
const SAMPLE_PIECE_BYTES = 1024;
/** Up to here a trial of the whole input costs as little as one of a sample. */
const MAX_WHOLE_TRIAL_BYTES = 16 * 1024;
/** A frame around fewer bytes takes more than it gains. */
const MIN_TRIAL_BYTES = 64;
/** In `auto`, compressed bytes may be at most this share of the raw ones. */
const MAX_AUTO_RATIO = 0.95;
/** Grouping is worth its time if it leaves at most this share of plain zstd's bytes. */
const MAX_GROUPING_RATIO = 0.98;

/** @throws StowageError `INVALID_ARGUMENT` where `compression` is none. */
export function checkCompression(compression: Compression): void {
  if (compression === 'auto' || compression === 'none') return;
  const codec = (compression as { codec?: unknown } | null)?.codec;
  if (codec !== 'zstd' && codec !== 'grouped-zstd') {
    throw invalidArgument(
      `The compression has to be 'auto', 'none', or an object with the codec 'zstd' or 'grouped-zstd'.`,
      { compression },
    );
  }
  const { level = DEFAULT_LEVEL } = compression;
  if (!Number.isInteger(level) || level < MIN_ZSTD_LEVEL || level > MAX_ZSTD_LEVEL) {
    throw invalidArgument(
      `The compression level has to be an integer from ${MIN_ZSTD_LEVEL} to ${MAX_ZSTD_LEVEL}, not ${String(level)}.`,
      { level },
    );
  }
}

/**
 * Encodes `raw` as `options` say.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function encodePayload(raw: Uint8Array, options: PayloadOptions = {}): EncodedPayload {
  const { compression = 'auto', elementBytes = 0 } = options;
  checkCompression(compression);
  if (!Number.isInteger(elementBytes) || elementBytes < 0 || elementBytes > MAX_ELEMENT_BYTES) {
    throw invalidArgument(
      `The element width has to be an integer from 0 to ${MAX_ELEMENT_BYTES} bytes, not ${String(elementBytes)}.`,
      { elementBytes },
    );
  }
  if (compression === 'none') return asItIs(raw);
  if (compression === 'auto') return encodeByTrial(raw, elementBytes);

  const { codec, level = DEFAULT_LEVEL } = compression;
  const encoded =
    codec === 'grouped-zstd' && elementBytes >= MIN_ELEMENT_BYTES
      ? groupedZstd(raw, elementBytes, level)
      : plainZstd(raw, level);
  return encoded.payload.length < raw.length ? encoded : asItIs(raw);
}

function encodeByTrial(raw: Uint8Array, elementBytes: number): EncodedPayload {
  if (raw.length < MIN_TRIAL_BYTES) return asItIs(raw);
  if (raw.length <= MAX_WHOLE_TRIAL_BYTES) return bestOf(raw, elementBytes, DEFAULT_LEVEL);

  const trial = bestOf(sampleOf(raw, Math.max(1, elementBytes)), elementBytes, SAMPLE_LEVEL);
  if (trial.codec === 'raw') return asItIs(raw);
  const encoded =
    trial.codec === 'zstd' ? plainZstd(raw, DEFAULT_LEVEL) : groupedZstd(raw, elementBytes, DEFAULT_LEVEL);
  return isWorthIt(encoded, raw) ? encoded : asItIs(raw);
}

function bestOf(raw: Uint8Array, elementBytes: number, level: number): EncodedPayload {
  let best = plainZstd(raw, level);
  if (elementBytes >= MIN_ELEMENT_BYTES) {
    const grouped = groupedZstd(raw, elementBytes, level);
    if (grouped.payload.length < best.payload.length * MAX_GROUPING_RATIO) best = grouped;
  }
  return isWorthIt(best, raw) ? best : asItIs(raw);
}

function isWorthIt(encoded: EncodedPayload, raw: Uint8Array): boolean {
  return encoded.payload.length <= raw.length * MAX_AUTO_RATIO;
}

/** Pieces from the start, the end and evenly between, each of whole elements. */
function sampleOf(raw: Uint8Array, elementBytes: number): Uint8Array {
  const pieceBytes = SAMPLE_PIECE_BYTES - (SAMPLE_PIECE_BYTES % elementBytes);
  const sample = new Uint8Array(SAMPLE_PIECES * pieceBytes);
  const stride = (raw.length - pieceBytes) / (SAMPLE_PIECES - 1);
  for (let piece = 0; piece < SAMPLE_PIECES; piece++) {
    const from = Math.floor((piece * stride) / elementBytes) * elementBytes;
    sample.set(raw.subarray(from, from + pieceBytes), piece * pieceBytes);
  }
  return sample;
}

function asItIs(raw: Uint8Array): EncodedPayload {
  return { codec: 'raw', elementBytes: 0, payload: raw };
}

function plainZstd(raw: Uint8Array, level: number): EncodedPayload {
  const target = plainScratch(maxFrameBytes(raw.length));
  return { codec: 'zstd', elementBytes: 0, payload: target.subarray(0, compressInto(target, raw, level)) };
}

function groupedZstd(raw: Uint8Array, elementBytes: number, level: number): EncodedPayload {
  const grouped = groupingScratch(raw.length).subarray(0, raw.length);
  groupBytes(raw, elementBytes, grouped);
  const target = groupedScratch(maxFrameBytes(raw.length));
  return {
    codec: 'grouped-zstd',
    elementBytes,
    payload: target.subarray(0, compressInto(target, grouped, level)),
  };
}

const MAX_SCRATCH_BYTES = 512 * 1024;
const plainScratch = createScratch();
const groupedScratch = createScratch();
const groupingScratch = createScratch();

/** A buffer that is used again by every call, for allocating costs more than many a call; large ones are not kept. */
function createScratch(): (bytes: number) => Uint8Array {
  let kept = new Uint8Array(0);
  return (bytes) => {
    if (bytes <= kept.length) return kept;
    const scratch = new Uint8Array(bytes <= MAX_SCRATCH_BYTES ? Math.max(bytes, 2 * kept.length) : bytes);
    if (bytes <= MAX_SCRATCH_BYTES) kept = scratch;
    return scratch;
  };
}

/**
 * The raw bytes of a payload. A raw one is returned as it is, not copied.
 *
 * @throws StowageError `CONTENT_DAMAGED`
 */
export function decodePayload(
  codec: Codec,
  elementBytes: number,
  payload: Uint8Array,
  rawBytes: number,
): Uint8Array {
  if (codec === 'raw') return payload;
  const raw = decompress(payload, rawBytes);
  if (codec === 'zstd') return raw;
  const ungrouped = new Uint8Array(rawBytes);
  ungroupBytes(raw, elementBytes, ungrouped);
  return ungrouped;
}
