import type { WorkCounter } from '../../async/progress.ts';
import { MAX_CHUNK_BYTES } from '../../codec/chunker.ts';
import { ENVELOPE_HEADER_BYTES, type EnvelopeKind, writeEnvelope } from '../../codec/envelope.ts';
import {
  type EncodedPayload,
  encodeAsPlanned,
  encodeBeside,
  type PayloadOptions,
  planPayload,
} from '../../codec/payload.ts';
import { packName } from '../../format/content-names.ts';
import type { PackEntry } from '../../format/manifest.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { SessionPins } from './session-pins.ts';
import type { UnnamedObjects } from './unnamed-objects.ts';

/** The memory that a content of unknown length begins with: what is not needed is not asked for, since it would be collected with all else. */
const FIRST_BYTES = 2 * 1024 * 1024;
/** So many chunks of one content are compressed beside each other, or wait for those before them. */
const MAX_BESIDE = 8;

/** Options of packing one content. */
export interface PackOptions extends CallOptions {
  /** A pack is written when it has grown to this. */
  targetBytes: number;
  /** The content's length, where it is known: it keeps the buffer of a small pack small. */
  expectedBytes?: number | undefined;
  progress?: WorkCounter | undefined;
}

/** The place of an entry in a pack, which is final once {@link PackWriter.drain} has ended; the pack's length is once it is written. */
export interface PackedEntry {
  pack: PackEntry;
  offset: number;
  storedBytes: number;
}

/** An entry that has no place yet. */
const NO_PACK: PackEntry = { name: '', bytes: 0 };

/** An entry that is being compressed, or waits for one that is. */
interface WaitingEntry {
  kind: EnvelopeKind;
  rawBytes: number;
  entry: PackedEntry;
  encoded: EncodedPayload | Promise<EncodedPayload>;
  /** Used again once the entry has its place. */
  memory?: Uint8Array;
}

/**
 * Gathers envelopes into packs in the order they come, and compresses the next ones beside that, where zstd has a way to.
 * Holds at most two packs in memory, one filling and one being written, and a few chunks that wait.
 */
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
  readonly #waiting: WaitingEntry[] = [];
  readonly #freeMemory: Uint8Array[] = [];

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

  /** Waits, where it has to, until {@link add} can take `rawBytes`, in the turn in which they are hashed: nobody changes them between the two. */
  makeRoom(rawBytes: number): Promise<void> | undefined {
    if (this.#waiting.length >= MAX_BESIDE) return this.#placeFirst();
    return this.#waiting.length === 0 && this.#lacks(rawBytes) ? this.#flush() : undefined;
  }

  /** Takes an entry for which there is room; {@link makeRoom}. Its bytes may change afterwards. */
  add(kind: EnvelopeKind, raw: Uint8Array, options: PayloadOptions): PackedEntry {
    const entry = { pack: NO_PACK, offset: 0, storedBytes: 0 };
    const waiting = { kind, rawBytes: raw.length, entry };
    const planned = planPayload(raw, options);
    if (!('payload' in planned)) {
      const memory = this.#freeMemory.pop() ?? Buffer.allocUnsafeSlow(MAX_CHUNK_BYTES);
      const encoded = encodeBeside(raw, planned, memory);
      if (encoded) {
        encoded.catch(() => {}); // thrown when its turn comes
        this.#waiting.push({ ...waiting, encoded, memory });
        return entry;
      }
      this.#freeMemory.push(memory);
    }
    return this.#addEncoded(waiting, 'payload' in planned ? planned : encodeAsPlanned(raw, planned));
  }

  /** Takes an entry as another pack has it, for which there is room; {@link makeRoom}. */
  addEncoded(kind: EnvelopeKind, rawBytes: number, encoded: EncodedPayload): PackedEntry {
    return this.#addEncoded({ kind, rawBytes, entry: { pack: NO_PACK, offset: 0, storedBytes: 0 } }, encoded);
  }

  #addEncoded(waiting: Omit<WaitingEntry, 'encoded'>, encoded: EncodedPayload): PackedEntry {
    if (this.#waiting.length === 0) this.#place(waiting, encoded);
    else
      this.#waiting.push({ ...waiting, encoded: { ...encoded, payload: new Uint8Array(encoded.payload) } });
    return waiting.entry;
  }

  /** Waits until every entry has its place. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#placeFirst();
  }

  /** Writes what is left; afterwards every pack is visible. */
  async finish(): Promise<void> {
    await this.drain();
    await this.#flush();
    await this.#writing;
  }

  /** Waits until nothing is compressed or written, whatever its outcome: after a failure nothing must go on in the background. */
  async settle(): Promise<void> {
    await Promise.allSettled([this.#writing, ...this.#waiting.map(({ encoded }) => encoded)]);
  }

  async #placeFirst(): Promise<void> {
    const first = this.#waiting[0] as WaitingEntry;
    const encoded = await first.encoded;
    if (this.#lacks(first.rawBytes)) await this.#flush();
    this.#place(first, encoded);
    this.#waiting.shift();
    if (first.memory) this.#freeMemory.push(first.memory);
  }

  /** Room is left for an entry that does not shrink, so that packs begin with the same entries whoever compresses them. */
  #lacks(rawBytes: number): boolean {
    return this.#used > 0 && this.#used + rawBytes + ENVELOPE_HEADER_BYTES > this.#capacity;
  }

  #place({ kind, rawBytes, entry }: Omit<WaitingEntry, 'encoded'>, encoded: EncodedPayload): void {
    const buffer = this.#bufferFor(rawBytes + ENVELOPE_HEADER_BYTES);
    this.#pack ??= { name: packName(this.#session.id, this.#session.nextSequence()), bytes: 0 };
    entry.pack = this.#pack;
    entry.offset = this.#used;
    this.#used = writeEnvelope(buffer, this.#used, kind, rawBytes, encoded);
    entry.storedBytes = this.#used - entry.offset;
    this.#pack.bytes = this.#used;
    if (kind === 'chunk') this.#chunkBytes += rawBytes;
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
