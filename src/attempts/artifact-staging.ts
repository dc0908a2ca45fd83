import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ProgressMeter } from '../async/progress.ts';
import { digestHex } from '../digest/blake3.ts';
import { StowageError, throwIfAborted } from '../errors.ts';
import { CHUNKED_FROM_BYTES } from '../format/content-names.ts';
import { refId } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import { takeOnce } from '../streams/read-once.ts';
import { untilAborted } from '../streams/stream-head.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { SerializedArtifact } from '../values/serializer.ts';
import {
  type ArtifactInput,
  type ArtifactInputs,
  type ArtifactOptions,
  type NamedArtifact,
  SavedForm,
} from './artifact-input.ts';
import { type InlineBudget, toInline } from './inline-value.ts';
import { artifactSubject, type SaveCall } from './save-calls.ts';
import { type StoredValue, storeValues, type TableRow } from './stored-values.ts';

/** The settings by which the values of a store become bytes, and get their destination. */
export interface ValueSettings {
  registry: SerializerRegistry;
  /** Serialized values up to this many bytes are kept in metadata.json. */
  maxInlineBytes: number;
  /** Larger values under this many bytes are the attempt's own where a look costs a request. */
  ownBytes: number;
}

/** Small values of a sequence are gathered up to so many bytes, or so many of them, and written together. */
const GATHER_BYTES = 4 * 1024 * 1024;
const GATHER_COUNT = 256;
/** A sequence may go on for so long before others have their turn, in milliseconds. */
const MAX_TURN_MS = 20;

/** An artifact whose value refers to content. */
type Referring = Pick<SerializedArtifact, 'refs'> & { name: string };

/** A value that becomes content. */
interface LargeValue extends SerializedArtifact {
  name: string;
  compression: ArtifactOptions['compression'];
  address: string | undefined;
  progress: ProgressMeter | undefined;
}

/**
 * The artifacts of one call on their way into an attempt's table: serialized, what they refer to pinned and found,
 * and their content written. Inline bytes count from the start; {@link release} gives them back.
 */
export class ArtifactStaging {
  readonly #registry: SerializerRegistry;
  readonly #budget: InlineBudget;
  readonly #session: Session;
  readonly #options: CallOptions;
  readonly #progress: ProgressMeter | undefined;
  /** The session that stores values, and the length under which they are the attempt's own. */
  readonly #where: readonly [Session, number, CallOptions];
  #rows = new Map<string, TableRow>();
  /** Of inline values, as the progress counts them. */
  #inlineBytes = 0;

  constructor(
    { registry, ownBytes }: ValueSettings,
    budget: InlineBudget,
    session: Session,
    { signal }: CallOptions,
    progress: ProgressMeter | undefined,
  ) {
    this.#registry = registry;
    this.#budget = budget;
    this.#session = session;
    this.#options = { signal };
    this.#progress = progress;
    this.#where = [session, ownBytes, this.#options];
  }

  /** The rows, in the order in which the artifacts were given. */
  get rows(): TableRow[] {
    return [...this.#rows.values()];
  }

  /** Stages artifacts that are in memory. All are serialized before anything is written. */
  async addAll(batch: readonly ArtifactInput[]): Promise<void> {
    const loading = this.#registry.prepareToSave(batch.map(({ value }) => value));
    if (loading) await loading;
    const referring: Referring[] = [];
    const large: LargeValue[] = [];
    for (const input of batch) {
      const value = this.#serialize(input, referring);
      if (value) large.push(value);
    }
    this.#progress?.expect({ bytes: this.#inlineBytes + bytesOf(large), items: batch.length });
    if (referring.length > 0) await this.#relyOn(referring);
    if (large.length === 0) return;
    this.#addStored(large, await storeValues(large, ...this.#where));
    this.#order(batch.map(({ name }) => name));
  }

  /** Stages a sequence, of which each large value is written before the next item is asked for. */
  async addEach(
    artifacts: Iterable<NamedArtifact> | AsyncIterable<NamedArtifact>,
    inputs: ArtifactInputs,
    call: SaveCall,
  ): Promise<void> {
    const names = new Set<string>();
    let gathered: LargeValue[] = [];
    let gatheredBytes = 0;
    const flush = async (): Promise<void> => {
      const values = gathered;
      gathered = [];
      gatheredBytes = 0;
      this.#addStored(values, await storeValues(values, ...this.#where));
    };
    const items =
      Symbol.asyncIterator in artifacts ? untilAborted(artifacts, this.#options) : takeOnce(artifacts);
    let turnBegan = performance.now();
    for await (const item of items) {
      // Small values of a generator that never waits would keep timers and signals from their turn.
      if (performance.now() - turnBegan > MAX_TURN_MS) {
        await nextTurn();
        turnBegan = performance.now();
      }
      throwIfAborted(this.#options.signal);
      const input = inputs.item(item);
      const { name } = input;
      call.expect([artifactSubject(name)]);
      const loading = this.#registry.prepareToSave([input.value]);
      if (loading) await loading;
      names.add(name);
      const referring: Referring[] = [];
      const value = this.#serialize(input, referring);
      if (referring.length > 0) await this.#relyOn(referring);
      if (!value) {
        gathered = gathered.filter((earlier) => earlier.name !== name);
      } else if (value.bytes.length >= CHUNKED_FROM_BYTES) {
        await flush();
        this.#addStored([value], await storeValues([value], ...this.#where));
      } else {
        // A copy, because whoever gives the values may use the memory of this one for the next.
        gathered.push({ ...value, bytes: value.bytes.slice() });
        gatheredBytes += value.bytes.length;
        if (gatheredBytes >= GATHER_BYTES || gathered.length >= GATHER_COUNT) await flush();
      }
    }
    await flush();
    this.#order(names);
  }

  /** Gives up what was staged. */
  release(): void {
    for (const row of this.#rows.values()) this.#budget.take(-inlineBytesOf(row));
    this.#rows.clear();
  }

  /** Serializes a value, and stages its row if it is kept inline; otherwise returns what has to be written. */
  #serialize(
    { name, value, options, address }: ArtifactInput,
    referring: Referring[],
  ): LargeValue | undefined {
    const { serializer, compression, inline } = options;
    const serialized = SavedForm.is(value)
      ? value.serialized
      : this.#registry.serialize(name, value, serializer === undefined ? undefined : { serializer });
    const { bytes, refs } = serialized;
    if (refs.length > 0) referring.push({ name, refs });
    if (!this.#budget.admits(bytes.length, inline, inlineBytesOf(this.#rows.get(name)))) {
      return { name, compression, address, progress: this.#progress, ...serialized };
    }
    const { type, encoding, info } = serialized;
    const row = {
      name,
      type,
      encoding,
      bytes: bytes.length,
      key: digestHex(bytes),
      inline: toInline(serialized),
    };
    // Written out: to spread and to add takes 4 microseconds a value.
    const entry: ArtifactEntry = info === undefined ? row : { info, ...row };
    if (refs.length > 0) entry.refs = refs;
    this.#add({ entry });
    if (this.#progress) {
      this.#inlineBytes += bytes.length;
      this.#progress.add(bytes.length);
      this.#progress.itemDone();
    }
    return undefined;
  }

  /** @throws StowageError `CONTENT_NOT_FOUND` naming the artifact that refers to what is not in the store */
  async #relyOn(referring: readonly Referring[]): Promise<void> {
    const sought = referring.flatMap(({ refs }) => refs);
    const [missing] = await this.#session.relyOnRefs(sought, this.#options);
    if (!missing) return;
    const { kind, name } = missing;
    const artifact = referring.find(({ refs }) => refs.some((ref) => refId(ref) === refId(missing)))?.name;
    throw new StowageError(
      'CONTENT_NOT_FOUND',
      `Artifact ${artifact} refers to the ${kind} ${name}, of which nothing whole is in the store, so that it would lead nowhere. Save that content first, and release it only once the attempt is closed.`,
      { details: { artifact, kind, name } },
    );
  }

  #addStored(values: readonly LargeValue[], stored: readonly StoredValue[]): void {
    values.forEach((value, index) => {
      const { within, ...where } = stored[index] as StoredValue;
      const { name, type, encoding, info, refs } = value;
      // With the length that was stored: the value's own memory may have been given away since.
      const row = { name, type, encoding, ...where };
      const entry: ArtifactEntry = info === undefined ? row : { info, ...row };
      if (refs.length > 0) entry.refs = refs;
      this.#add({ entry, within });
    });
  }

  #add(row: TableRow): void {
    const { name } = row.entry;
    this.#budget.take(inlineBytesOf(row) - inlineBytesOf(this.#rows.get(name)));
    this.#rows.set(name, row);
  }

  /** Written or inline, artifacts stand in the order in which they were given. */
  #order(names: Iterable<string>): void {
    const rows = this.#rows;
    this.#rows = new Map(Array.from(names, (name) => [name, rows.get(name) as TableRow]));
  }
}

function bytesOf(values: readonly LargeValue[]): number {
  return values.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** The bytes that a row takes of the budget of inline values. */
export function inlineBytesOf(row: TableRow | undefined): number {
  return row?.entry.inline ? row.entry.bytes : 0;
}
