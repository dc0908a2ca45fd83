import { StowageError } from '../errors.ts';
import { parseCopyName } from './content-names.ts';
import { HERE } from './content-ref.ts';
import { isPlaceId } from './place-records.ts';
import { encodeRecord } from './record.ts';
import { readObjects, readOptional, readRecord, readString, readStrings } from './record-fields.ts';
import { placeMember } from './stored-content.ts';

/** The step that a hint is of. */
export interface HintSubject {
  flow: string;
  step: string;
}

/** A manifest that a hint names, and chunks by which somebody who has them too learns that it is worth reading. */
export interface HintedManifest {
  /** The name of the copy. */
  copy: string;
  /** The place where it lies: `HERE`, or the id of another place. */
  place: string;
  /** One sample of chunks for each group of the manifest, from the first on; see {@link sampleOf}. */
  samples: readonly Uint8Array[];
}

/** The most bytes that a hint may have. */
export const MAX_HINT_BYTES: number = 256 * 1024;
/** The first bytes of a chunk's digest, by which a hint names it. */
export const FINGERPRINT_BYTES = 6;
/** The most chunks that the sample of a group names. */
export const MAX_SAMPLE: number = 4096;
/** The most groups of one manifest that a hint has samples of. */
export const MAX_SAMPLED_GROUPS: number = 4096;

/** Where room is scarce each sample is halved, down to this; after that the oldest manifests are left out. */
const LEAST_SAMPLE = 4;
/** Base64 digits of a fingerprint. */
const FINGERPRINT_DIGITS = 8;
const BASE64 = /^[A-Za-z0-9+/]*$/;
/** What a manifest takes in JSON beside its names, and a sample beside its digits. */
const [ENTRY_BYTES, SAMPLE_BYTES] = [48, 3];
/** Room for the members of the record but its manifests: two names, each character as an escape at worst, and the digest. */
const FRAME_BYTES = 4096;

/** The name of a step's hint. */
export function hintName({ flow, step }: HintSubject): string {
  return `hints/${flow}/${step}.json`;
}

/** The fingerprint of the chunk whose digest begins at `offset`: its first bytes as a number, big-endian. */
export function fingerprintAt(digests: Uint8Array, offset: number): number {
  let fingerprint = 0;
  for (let i = 0; i < FINGERPRINT_BYTES; i++)
    fingerprint = fingerprint * 256 + (digests[offset + i] as number);
  return fingerprint;
}

/**
 * A sample of a group's chunks: the smallest of their fingerprints, ascending, each once. Contents that share chunks share samples,
 * since the digests alone choose (bottom-k sketches: Broder, "On the resemblance and containment of documents", 1997).
 *
 * @param digests - of the chunks
 */
export function sampleOf(digests: readonly Uint8Array[], most: number = MAX_SAMPLE): Uint8Array {
  const all = Float64Array.from(digests, (digest) => fingerprintAt(digest, 0)).sort();
  const sample = Buffer.alloc(Math.min(all.length, most) * FINGERPRINT_BYTES);
  let used = 0;
  let last = -1;
  for (const fingerprint of all) {
    if (used === sample.length) break;
    if (fingerprint === last) continue;
    last = fingerprint;
    used = sample.writeUIntBE(fingerprint, used, FINGERPRINT_BYTES);
  }
  return sample.subarray(0, used);
}

/** The fingerprints of a sample. */
export function* fingerprintsOf(sample: Uint8Array): Generator<number> {
  for (let at = 0; at < sample.length; at += FINGERPRINT_BYTES) yield fingerprintAt(sample, at);
}

/**
 * The bytes of a hint that names `manifests`, newest first, in at most {@link MAX_HINT_BYTES}: with samples as large as there is room for,
 * and without the oldest ones where there is none.
 */
export function encodeHint(subject: HintSubject, manifests: readonly HintedManifest[]): Uint8Array {
  const { flow, step } = subject;
  let most = MAX_SAMPLE;
  while (most > LEAST_SAMPLE && fitting(manifests, most) < manifests.length) most /= 2;
  const named = manifests.slice(0, fitting(manifests, most)).map(({ copy, place, samples }) => ({
    copy,
    ...placeMember(place),
    chunks: samples.map((sample) =>
      Buffer.from(sample.subarray(0, most * FINGERPRINT_BYTES)).toString('base64'),
    ),
  }));
  return encodeRecord({ format: 1, kind: 'hint', flow, step, manifests: named });
}

/** So many of the first manifests fit, with samples of at most so many chunks. */
function fitting(manifests: readonly HintedManifest[], most: number): number {
  let bytes = FRAME_BYTES;
  for (const [index, { copy, place, samples }] of manifests.entries()) {
    bytes += ENTRY_BYTES + copy.length + place.length;
    for (const sample of samples)
      bytes += SAMPLE_BYTES + FINGERPRINT_DIGITS * Math.min(most, sample.length / FINGERPRINT_BYTES);
    if (bytes > MAX_HINT_BYTES) return index;
  }
  return manifests.length;
}

/**
 * Reads the hint of a step. What it says may be old, or wrong: whoever goes by it reads the manifests, and relies on nothing that it
 * did not pin and look at.
 *
 * @throws StowageError `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`
 */
export function decodeHint(bytes: Uint8Array, what: string, { flow, step }: HintSubject): HintedManifest[] {
  if (bytes.length > MAX_HINT_BYTES) throw damaged(what);
  const record = readRecord(bytes, what, 'hint', { flow, step });
  return readObjects(record, 'manifests', what).map((entry) => {
    const copy = readString(entry, 'copy', what);
    const place = readOptional(readString, entry, 'place', what) ?? HERE;
    const isNamed = parseCopyName(copy)?.folder === 'manifests' && (place === HERE || isPlaceId(place));
    const chunks = readStrings(entry, 'chunks', what);
    if (!isNamed || chunks.length > MAX_SAMPLED_GROUPS) throw damaged(what);
    return { copy, place, samples: chunks.map((digits) => readSample(digits, what)) };
  });
}

function readSample(digits: string, what: string): Uint8Array {
  const isSample =
    digits.length % FINGERPRINT_DIGITS === 0 &&
    digits.length <= MAX_SAMPLE * FINGERPRINT_DIGITS &&
    BASE64.test(digits);
  if (!isSample) throw damaged(what);
  return Buffer.from(digits, 'base64');
}

function damaged(what: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is no hint that anybody writes; it does no harm, and the next save of large content of its step replaces it.`,
    { details: { record: what } },
  );
}
