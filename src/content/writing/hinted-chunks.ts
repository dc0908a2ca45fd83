import { SingleFlight } from '../../async/single-flight.ts';
import { isStowageError, throwIfAborted } from '../../errors.ts';
import { FINGERPRINT_BYTES, fingerprintAt } from '../../format/hint.ts';
import type { ChunkColumns, Manifest, PackEntry } from '../../format/manifest.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { ContentPlace } from '../content-place.ts';
import { lookAt } from '../copies.ts';
import type { PackedEntry } from './pack-writer.ts';
import type { Candidate, StepHint } from './step-hint.ts';

/** So many groups of manifests are read in vain by one session; what is hinted then is not worth its requests. */
const MOST_VAIN = 16;

type Chunks = ReadonlyMap<string, PackedEntry>;
const NONE: Chunks = new Map();

/**
 * Chunks of the manifests that a step's hint names, for one session at one place. A manifest is read once a chunk is met that it may hold,
 * and only what it says itself counts. Whoever uses one of its packs pins that, and looks at it, as any other (model: `look`, `pin packs`).
 */
export class HintedChunks {
  readonly #place: ContentPlace;
  readonly #hint: StepHint;
  readonly #manifests = new Map<string, Manifest | undefined>();
  readonly #read = new Set<string>();
  readonly #flights = new SingleFlight<Chunks>();
  #vain = 0;

  constructor(place: ContentPlace, hint: StepHint) {
    this.#place = place;
    this.#hint = hint;
  }

  /** Readies {@link candidates}: one GET, once in a while. */
  prepare(options: CallOptions): Promise<void> {
    return this.#hint.refresh(options);
  }

  /** Tells whether {@link candidates} may have any. */
  mayName(id: string): boolean {
    return this.#vain < MOST_VAIN && this.#hint.candidates(fingerprintOf(id)).length > 0;
  }

  /** The groups of manifests that are worth reading for the sake of a chunk, newest first. */
  candidates(id: string): readonly Candidate[] {
    if (this.#vain >= MOST_VAIN) return [];
    const named = this.#hint.candidates(fingerprintOf(id));
    return named.filter(({ copy, place }) => place === this.#place.id && !this.#hint.isForgotten(copy));
  }

  /**
   * The chunks of a group by their digests; none where its manifest is gone, marked or not whole. `undefined` where it was read before, or too many
   * were in vain.
   *
   * @throws StowageError `ABORTED`
   */
  async read(candidate: Candidate, { signal }: CallOptions): Promise<Chunks | undefined> {
    const { copy, group } = candidate;
    const name = `${copy} ${group}`;
    if (this.#read.has(name) || this.#vain >= MOST_VAIN) return undefined;
    const read = (flight: CallOptions): Promise<Chunks> =>
      this.#readGroup(candidate, { signal: flight.signal });
    const chunks = await this.#flights.run(name, read, { signal });
    this.#read.add(name);
    return chunks;
  }

  /** Notes that a group did not have its chunk, or has it in a pack that may not be relied on. */
  noteVain({ copy }: Candidate): void {
    this.#vain += 1;
    this.#hint.forget(copy);
  }

  async #readGroup({ copy, group }: Candidate, options: CallOptions): Promise<Chunks> {
    const { reader } = this.#place;
    try {
      const manifest = await this.#manifestOf(copy, options);
      if (!manifest?.groups[group]) return NONE;
      const columns = await reader.columnsOf(copy, manifest, group, options);
      return chunksOf(columns, manifest.packs);
    } catch (error) {
      throwIfAborted(options.signal);
      if (!isStowageError(error)) throw error;
      if (error.code === 'CONTENT_DAMAGED') await reader.reportDamage(error, copy);
      else if (error.code !== 'CONTENT_NOT_FOUND') this.#hint.report(error);
      return NONE;
    }
  }

  /** The manifest, unless it was found damaged: then its chunks may lie elsewhere than it says, and saving them anew mends it. */
  async #manifestOf(copy: string, options: CallOptions): Promise<Manifest | undefined> {
    if (this.#manifests.has(copy)) return this.#manifests.get(copy);
    const { reader, storage } = this.#place;
    const presence = reader.hasFoundDamaged(copy) ? undefined : await lookAt(storage, copy, options);
    const manifest = presence?.marked === false ? await reader.manifestOf(copy, options) : undefined;
    this.#manifests.set(copy, manifest);
    return manifest;
  }
}

function fingerprintOf(id: string): number {
  return fingerprintAt(Buffer.from(id.slice(0, FINGERPRINT_BYTES), 'latin1'), 0);
}

function chunksOf(columns: ChunkColumns, packs: readonly PackEntry[]): Chunks {
  const { digests, offsets, storedBytes } = columns;
  const ids = Buffer.from(digests.buffer, digests.byteOffset, digests.length).toString('latin1');
  const chunks = new Map<string, PackedEntry>();
  for (let i = 0; i < offsets.length; i++) {
    const pack = packs[columns.packs[i] as number] as PackEntry;
    const entry = { pack, offset: offsets[i] as number, storedBytes: storedBytes[i] as number };
    chunks.set(ids.slice(i * 32, i * 32 + 32), entry);
  }
  return chunks;
}
