import { invalidArgument } from '../errors.ts';
import type { Codec } from './codecs.ts';
import { MAX_ELEMENT_BYTES, MIN_ELEMENT_BYTES } from './grouping.ts';
import { groupBytes, ungroupBytes } from './kernel.ts';
import { SAMPLE_BYTES, type Trials } from './trials.ts';
import {
  compressInto,
  compressorBeside,
  decompress,
  decompressInto,
  MAX_ZSTD_LEVEL,
  MIN_ZSTD_LEVEL,
  maxFrameBytes,
} from './zstd.ts';

export type { Codec } from './codecs.ts';

/**
 * The compression of content. `auto` (the default) tries a sample of each object or chunk at zstd's level 1: raw where less than
 * 18 % is saved, which takes longer to save and load than it is worth; byte grouping before zstd where the width of the elements is
 * known and it wins. A named codec is used without a trial, `grouped-zstd` as `zstd` where no element width is known. What does not
 * become smaller is stored as it is. `level` is zstd's, 1 to 22, default 3.
 */
export type Compression = 'auto' | 'none' | { codec: 'zstd' | 'grouped-zstd'; level?: number };

/** Options of {@link encodePayload}. */
export interface PayloadOptions {
  /** Default: `auto`. */
  compression?: Compression | undefined;
  /** The width, in bytes, of the elements of an array of numbers, up to 16. Default: 0, no such array. */
  elementBytes?: number | undefined;
  /** What `auto` learned of the chunks before this one. Default: every chunk is tried. */
  trials?: Trials | undefined;
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
/** In chunks of 64 KiB level 3 saves about 1 % more than level 1, and takes 1.5 times as long. */
const AUTO_LEVEL = 1;
const SAMPLE_PIECES = 4;
const SAMPLE_PIECE_BYTES = SAMPLE_BYTES / SAMPLE_PIECES;
/** Up to here a trial of the whole input costs as little as one of a sample. */
const MAX_WHOLE_TRIAL_BYTES = 16 * 1024;
/** A frame around fewer bytes takes more than it gains. */
const MIN_TRIAL_BYTES = 64;
/**
 * In `auto`, compressed bytes may be at most this share of the raw ones: a byte that is not stored is worth 20 ns of the
 * processor, to save and to load it. Of what was measured, numbers of few digits come to 79 %, and pay; random fractions to 84 % and
 * floats to 92 %, and cost twice that.
 */
const MAX_AUTO_SHARE = 0.82;
/** A sample of 4 KiB shrinks a little less than the whole. */
const MAX_SAMPLE_SHARE = 0.85;
/** Grouping is worth its time if it leaves at most this share of plain zstd's bytes. */
const MAX_GROUPING_SHARE = 0.98;

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

/** The way in which bytes are to be compressed, and the most that may come of it; otherwise they are stored as they are. */
export interface CompressionPlan {
  codec: 'zstd' | 'grouped-zstd';
  elementBytes: number;
  level: number;
  maxBytes: number;
}

/**
 * Encodes `raw` as `options` say.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function encodePayload(raw: Uint8Array, options: PayloadOptions = {}): EncodedPayload {
  const planned = planPayload(raw, options);
  return 'payload' in planned ? planned : encodeAsPlanned(raw, planned);
}

/**
 * The encoded bytes where it takes little to tell them, else the plan by which {@link encodeAsPlanned} gives them, or {@link encodeBeside}.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function planPayload(raw: Uint8Array, options: PayloadOptions): EncodedPayload | CompressionPlan {
  const { compression = 'auto', elementBytes = 0 } = options;
  checkCompression(compression);
  if (!Number.isInteger(elementBytes) || elementBytes < 0 || elementBytes > MAX_ELEMENT_BYTES) {
    throw invalidArgument(
      `The element width has to be an integer from 0 to ${MAX_ELEMENT_BYTES} bytes, not ${String(elementBytes)}.`,
      { elementBytes },
    );
  }
  if (compression === 'none') return asItIs(raw);
  if (compression === 'auto') return planByTrial(raw, elementBytes, options.trials);

  const { level = DEFAULT_LEVEL } = compression;
  const codec = elementBytes >= MIN_ELEMENT_BYTES ? compression.codec : 'zstd';
  return { codec, elementBytes, level, maxBytes: raw.length - 1 };
}

function planByTrial(
  raw: Uint8Array,
  elementBytes: number,
  trials: Trials | undefined,
): EncodedPayload | CompressionPlan {
  if (raw.length < MIN_TRIAL_BYTES) return asItIs(raw);
  if (raw.length <= MAX_WHOLE_TRIAL_BYTES) return unlessOver(MAX_AUTO_SHARE, bestOf(raw, elementBytes), raw);

  const sample = sampleOf(raw, Math.max(1, elementBytes));
  let codec = trials?.codecOf(sample);
  if (codec === undefined) {
    codec = unlessOver(MAX_SAMPLE_SHARE, bestOf(sample, elementBytes), sample).codec;
    trials?.tried(sample, codec);
  }
  if (codec === 'raw') return asItIs(raw);
  return { codec, elementBytes, level: AUTO_LEVEL, maxBytes: raw.length * MAX_AUTO_SHARE };
}

/** Compresses by a plan of {@link planPayload}. */
export function encodeAsPlanned(raw: Uint8Array, plan: CompressionPlan): EncodedPayload {
  const { codec, elementBytes, level, maxBytes } = plan;
  const encoded = codec === 'zstd' ? plainZstd(raw, level) : groupedZstd(raw, elementBytes, level);
  return encoded.payload.length <= maxBytes ? encoded : asItIs(raw);
}

/**
 * Like {@link encodeAsPlanned}, in another thread; `undefined` where this zstd has none, the way there is too long for so few bytes, or
 * `memory` has no room for them. `raw` may change from now on: what is compressed is a copy in `memory`, which has to be let alone until
 * the payload, which may lie there too, is used.
 */
export function encodeBeside(
  raw: Uint8Array,
  plan: CompressionPlan,
  memory: Uint8Array,
): Promise<EncodedPayload> | undefined {
  const { codec, elementBytes, level, maxBytes } = plan;
  const isFitting = raw.length > MAX_WHOLE_TRIAL_BYTES && raw.length <= memory.length;
  const compress = isFitting ? compressorBeside(level) : undefined;
  if (!compress) return undefined;
  const copy = memory.subarray(0, raw.length);
  if (codec === 'zstd') copy.set(raw);
  else groupBytes(raw, elementBytes, copy);
  return compress(copy).then((payload) => {
    if (payload.length > maxBytes) return asItIs(codec === 'zstd' ? copy : ungrouped(copy, elementBytes));
    return { codec, elementBytes: codec === 'zstd' ? 0 : elementBytes, payload };
  });
}

function bestOf(raw: Uint8Array, elementBytes: number): EncodedPayload {
  let best = plainZstd(raw, AUTO_LEVEL);
  if (elementBytes >= MIN_ELEMENT_BYTES) {
    const grouped = groupedZstd(raw, elementBytes, AUTO_LEVEL);
    if (grouped.payload.length < best.payload.length * MAX_GROUPING_SHARE) best = grouped;
  }
  return best;
}

function unlessOver(maxShare: number, encoded: EncodedPayload, raw: Uint8Array): EncodedPayload {
  return encoded.payload.length <= raw.length * maxShare ? encoded : asItIs(raw);
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
  return codec === 'zstd' ? raw : ungrouped(raw, elementBytes);
}

function ungrouped(grouped: Uint8Array, elementBytes: number): Uint8Array {
  const raw = new Uint8Array(grouped.length);
  ungroupBytes(grouped, elementBytes, raw);
  return raw;
}

/**
 * Decodes a payload into `target`, which it has to fill.
 *
 * @throws StowageError `CONTENT_DAMAGED`
 */
export function decodePayloadInto(
  target: Uint8Array,
  codec: Codec,
  elementBytes: number,
  payload: Uint8Array,
): void {
  if (codec === 'raw') target.set(payload);
  else if (codec === 'zstd') decompressInto(target, payload);
  else {
    const grouped = groupingScratch(target.length).subarray(0, target.length);
    decompressInto(grouped, payload);
    ungroupBytes(grouped, elementBytes, target);
  }
}
