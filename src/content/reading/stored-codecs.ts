import { mapBounded } from '../../async/bounded-work.ts';
import { ENVELOPE_HEADER_BYTES, readEnvelopeHeader } from '../../codec/envelope.ts';
import type { Codec } from '../../codec/payload.ts';
import { isStowageError } from '../../errors.ts';
import { type ContentKey, parseCopyName } from '../../format/content-names.ts';
import type { ChunkColumns, PackEntry } from '../../format/manifest.ts';
import type { StoredContent } from '../../format/stored-content.ts';
import type { ByteRange, CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { damagedObject, objectGone, reasonOf } from '../damage.ts';
import { readGroup, readManifest } from './copy-reader.ts';
import type { OwnAddress } from './own-reader.ts';

/** The encoding of stored bytes; `plain` where they lie as they are, in an object that any tool opens. */
export type StoredCodec = Codec | 'plain';

/** Of the chunks that are not raw, so many are asked for their codec. */
const SAMPLED_CHUNKS = 4;
/** Headers of one object that lie within so many bytes are read by one request. */
const MAX_SPAN_BYTES = 1024 * 1024;
const CONCURRENCY = 8;

/**
 * The codecs of a content, the most frequent first. Of a large one the manifest tells which chunks are raw, and a few of the others are
 * looked at: of its first 512 MiB.
 *
 * @throws StowageError `CONTENT_DAMAGED`, `CONTENT_NOT_FOUND`
 */
export async function codecsOfContent(
  storage: DataStoreStorage,
  { copy, root }: StoredContent,
  options: CallOptions,
): Promise<StoredCodec[]> {
  if (parseCopyName(copy)?.folder === 'data') {
    return [await codecAt(storage, copy, { offset: 0, length: ENVELOPE_HEADER_BYTES }, options)];
  }
  // Of what lies among the manifests, plain objects alone have no root.
  if (root === undefined) return ['plain'];
  const manifest = await readManifest(storage, copy, options);
  if (!manifest) throw objectGone(copy);
  const columns = await readGroup(storage, copy, manifest, 0, options);
  const compressed = chunksThatAreNotRaw(columns);
  const sample = evenly(compressed, SAMPLED_CHUNKS);
  const found = await mapBounded(sample, CONCURRENCY, (chunk) => {
    const { name } = manifest.packs[columns.packs[chunk] as number] as PackEntry;
    const range = { offset: columns.offsets[chunk] as number, length: ENVELOPE_HEADER_BYTES };
    return codecAt(storage, name, range, options);
  });
  const raw = columns.lengths.length - compressed.length;
  const counts = new Map<StoredCodec, number>(raw > 0 ? [['raw', raw]] : []);
  for (const codec of found) counts.set(codec, (counts.get(codec) ?? 0) + compressed.length / sample.length);
  return [...counts].sort(([, a], [, b]) => b - a).map(([codec]) => codec);
}

/**
 * The codecs of values of one attempt's own, by key. One that is gone is left out.
 *
 * @param base the beginning of the objects' names
 * @throws StowageError `CONTENT_DAMAGED`
 */
export async function codecsOfOwn(
  storage: DataStoreStorage,
  base: string,
  values: readonly OwnAddress[],
  options: CallOptions,
): Promise<Map<ContentKey, StoredCodec[]>> {
  const codecs = new Map<ContentKey, StoredCodec[]>();
  await mapBounded(spansOf(values), CONCURRENCY, async (span) => {
    const [first] = span as [OwnAddress];
    const start = first.own.offset;
    const end = (span.at(-1) as OwnAddress).own.offset + ENVELOPE_HEADER_BYTES;
    const name = base + first.own.object;
    const range = { offset: start, length: end - start };
    const part = await storage.get(name, { signal: options.signal, range });
    for (const { key, own } of part ? span : [])
      codecs.set(key, [codecIn(name, part?.body as Uint8Array, own.offset - start)]);
  });
  return codecs;
}

function spansOf(values: readonly OwnAddress[]): OwnAddress[][] {
  const spans: OwnAddress[][] = [];
  const ordered = [...values].sort(
    ({ own: a }, { own: b }) =>
      (a.object < b.object ? -1 : a.object > b.object ? 1 : 0) || a.offset - b.offset,
  );
  for (const value of ordered) {
    const span = spans.at(-1);
    const [first] = span ?? [];
    const isNear =
      first?.own.object === value.own.object && value.own.offset - first.own.offset < MAX_SPAN_BYTES;
    if (span && isNear) span.push(value);
    else spans.push([value]);
  }
  return spans;
}

function chunksThatAreNotRaw({ lengths, storedBytes }: ChunkColumns): number[] {
  const chunks: number[] = [];
  for (let i = 0; i < lengths.length; i++)
    if (storedBytes[i] !== (lengths[i] as number) + ENVELOPE_HEADER_BYTES) chunks.push(i);
  return chunks;
}

/** At most `most` of the items, from the first to the last. */
function evenly<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from(
    { length: most },
    (_, i) => items[Math.floor((i * (items.length - 1)) / (most - 1))] as T,
  );
}

async function codecAt(
  storage: DataStoreStorage,
  name: string,
  range: ByteRange,
  { signal }: CallOptions,
): Promise<StoredCodec> {
  const part = await storage.get(name, { range, signal });
  if (!part) throw objectGone(name);
  return codecIn(name, part.body, 0);
}

function codecIn(name: string, bytes: Uint8Array, offset: number): StoredCodec {
  try {
    return readEnvelopeHeader(bytes, offset).codec;
  } catch (error) {
    if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
    throw damagedObject(name, reasonOf(error));
  }
}
