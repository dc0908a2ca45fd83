import type { WorkCounter } from '../../async/progress.ts';
import { ENVELOPE_HEADER_BYTES, type EnvelopeKind, sealEnvelopeInto } from '../../codec/envelope.ts';
import type { PayloadOptions } from '../../codec/payload.ts';
import { packName } from '../../format/content-names.ts';
import type { PackEntry } from '../../format/manifest.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { SessionPins } from './session-pins.ts';
import type { UnnamedObjects } from './unnamed-objects.ts';

/** A pack is written when it has grown to this. */
export const PACK_TARGET_BYTES: number = 16 * 1024 * 1024;
/**
 * The same where each object costs a request: 32 MiB of content with its envelopes, and room for one chunk more, so that 256 MiB take
 * eight packs.
 */
export const REMOTE_PACK_TARGET_BYTES: number = 129 * 256 * 1024;
/** The memory that a content of unknown length begins with: what is not needed is not asked for, since it would be collected with all else. */
const FIRST_BYTES = 2 * 1024 * 1024;

/** Options of packing one content. */
export interface PackOptions extends CallOptions {
  /** A pack is written when it has grown to this. */
  targetBytes: number;
  /** The content's length, where it is known: it keeps the buffer of a small pack small. */
  expectedBytes?: number | undefined;
  progress?: WorkCounter | undefined;
}

/** The place of an entry in a pack. The pack's name is final, its length once it is written. */
export interface PackedEntry {
  pack: PackEntry;
  offset: number;
  storedBytes: number;
}

/** Gathers envelopes into packs in the order they come. Holds at most two packs in memory: one filling, one being written. */
export class PackWriter {
  readonly #session: SessionPins;
  readonly #unnamed: UnnamedObjects;
  readonly #options: CallOptions;
  readonly #progress: WorkCounter | undefined;
  readonly #capacity: number;
  #firstBytes: number;
  #buffer: Uint8Array | undefined;
  #spare: Uint8Array | undefined;
  #used = 0;
  #pack: PackEntry | undefined;
  /** The bytes of content in the pack that is being filled. */
  #chunkBytes = 0;
  #writing: Promise<void> = Promise.resolve();

  /** Packs are `unnamed` until their manifest is. */
  constructor(session: SessionPins, unnamed: UnnamedObjects, { progress, ...options }: PackOptions) {
    this.#session = session;
    this.#unnamed = unnamed;
    this.#options = options;
    this.#progress = progress;
    const { targetBytes, expectedBytes = targetBytes } = options;
    this.#capacity = Math.min(targetBytes, Math.ceil(expectedBytes * 1.01));
    this.#firstBytes = options.expectedBytes === undefined ? FIRST_BYTES : this.#capacity;
  }

  /** Waits until {@link add} can take `rawBytes` at once, so that what is hashed before is what is sealed. */
  async makeRoom(rawBytes: number): Promise<void> {
    if (this.#lacks(rawBytes + ENVELOPE_HEADER_BYTES)) await this.#flush();
  }

  /** Seals `raw` into the current pack; waits only when two packs are full, and {@link makeRoom} did not. */
  async add(kind: EnvelopeKind, raw: Uint8Array, options: PayloadOptions): Promise<PackedEntry> {
    const room = raw.length + ENVELOPE_HEADER_BYTES;
    if (this.#lacks(room)) await this.#flush();
    const buffer = this.#bufferFor(room);
    this.#pack ??= { name: packName(this.#session.id, this.#session.nextSequence()), bytes: 0 };
    const offset = this.#used;
    this.#used = sealEnvelopeInto(buffer, offset, kind, raw, options);
    const entry = { pack: this.#pack, offset, storedBytes: this.#used - offset };
    this.#pack.bytes = this.#used;
    if (kind === 'chunk') this.#chunkBytes += raw.length;
    return entry;
  }

  /** Writes what is left; afterwards every pack is visible. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#writing;
  }

  /** Waits until nothing is being written, whatever its outcome: after a failure nothing must go on in the background. */
  async settle(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  #lacks(room: number): boolean {
    return this.#used > 0 && this.#used + room > this.#capacity;
  }

  /** The buffer, with room for so much behind what is used: it grows up to the length of a pack. */
  #bufferFor(room: number): Uint8Array {
    const least = this.#used + room;
    const before = this.#buffer;
    if (before && before.length >= least) return before;
    const wanted = before ? 4 * before.length : this.#firstBytes;
    const isNearlyWhole = 2 * wanted > this.#capacity;
    const grown = Buffer.allocUnsafeSlow(Math.max(least, isNearlyWhole ? this.#capacity : wanted));
    if (this.#used > 0) grown.set((before as Uint8Array).subarray(0, this.#used));
    this.#buffer = grown;
    return grown;
  }

  /** Step 5 of the writer's protocol (model: `write pack`): its name carries the session, which protects it. */
  async #flush(): Promise<void> {
    if (!this.#pack || this.#used === 0) return;
    const { name } = this.#pack;
    const full = this.#buffer as Uint8Array;
    const body = full.subarray(0, this.#used);
    await this.#writing;
    const chunkBytes = this.#chunkBytes;
    const write = this.#unnamed.create(name, body, this.#options);
    this.#writing = write.then(() => {
      this.#spare = full;
      this.#progress?.add(chunkBytes);
    });
    this.#writing.catch(() => {}); // reported by the next await of #writing
    this.#buffer = this.#spare;
    this.#spare = undefined;
    this.#used = 0;
    this.#firstBytes = this.#capacity;
    this.#chunkBytes = 0;
    this.#pack = undefined;
  }
}
