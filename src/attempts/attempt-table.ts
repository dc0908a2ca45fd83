import { setImmediate as nextTurn } from 'node:timers/promises';
import { CHUNKED_FROM_BYTES, type ContentWriter, type StreamOptions } from '../content/content-writer.ts';
import { checkRawDataPath } from '../content/raw-data-path.ts';
import type { SessionWriters } from '../content/session-writers.ts';
import { digestHex } from '../digest/blake3.ts';
import { StowageError, throwIfAborted } from '../errors.ts';
import { type ContentRef, refId } from '../format/content-ref.ts';
import type { ArtifactEntry, ArtifactTable } from '../format/description.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { CallOptions } from '../storage/contract.ts';
import { takeOnce } from '../streams/read-once.ts';
import { abortable, readHead, untilAborted } from '../streams/stream-head.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { SerializedArtifact } from '../values/serializer.ts';
import {
  type ArtifactInput,
  ArtifactInputs,
  type ArtifactOptions,
  type ArtifactStreamOptions,
  type Artifacts,
  checkArtifacts,
  checkStream,
  inputsOf,
  isSequence,
  namesOf,
  type SaveOptions,
} from './artifact-input.ts';
import { toInline } from './inline-value.ts';
import { REST_OF_ITERABLE, type SaveCall, type Subject } from './save-calls.ts';

/** Under which session content is written and relied on. */
export interface TableWriter {
  writers: SessionWriters;
  /** Where content goes unless a call or an artifact says otherwise; in the store itself without it. */
  rawDataPath: string | undefined;
}

/** A row, and the contents that references inside the value point at. */
export interface TableRow {
  entry: ArtifactEntry;
  refs: readonly ContentRef[];
}

/** All inline values of an attempt together stay below this. */
export const MAX_INLINE_TOTAL_BYTES: number = 512 * 1024;
const NOTHING: ReadonlySet<string> = new Set();
/** How many bytes of small values of a sequence are gathered, so that they are written together. */
const GATHER_BYTES = 4 * 1024 * 1024;
const GATHER_COUNT = 256;
/** How long a sequence may go on before others have their turn, in milliseconds. */
const MAX_TURN_MS = 20;

/** An artifact whose value refers to content. */
type Referring = Pick<TableRow, 'refs'> & { name: string };

/** A value that becomes content. */
interface LargeValue extends SerializedArtifact {
  name: string;
  compression: ArtifactOptions['compression'];
  rawDataPath: string | undefined;
}

/** Rows on their way into the table: their inline bytes count from the start, and no longer if they do not get there. */
interface StagedRows {
  rows: Map<string, TableRow>;
  inlineBytes: number;
}

/** The artifacts of an open attempt: what its description will name. */
export class AttemptTable {
  readonly #registry: SerializerRegistry;
  readonly #maxInlineBytes: number;
  readonly #rows = new Map<string, TableRow>();
  /** Of the rows, and of what is being saved beside. */
  #inlineBytes = 0;

  constructor(registry: SerializerRegistry, maxInlineBytes: number) {
    this.#registry = registry;
    this.#maxInlineBytes = maxInlineBytes;
  }

  /** The names so far. */
  has(name: string): boolean {
    return this.#rows.has(name);
  }

  /**
   * Validates and serializes all values, then writes their content; only then they are named, but for those that a later
   * `call` has named. A sequence is taken one value at a time, each serialized and written before the next is asked for.
   */
  async save(artifacts: Artifacts, target: TableWriter, options: SaveOptions, call: SaveCall): Promise<void> {
    checkArtifacts(artifacts);
    call.expect(isSequence(artifacts) ? [REST_OF_ITERABLE] : namesOf(artifacts).map(artifactSubject));
    const inputs = new ArtifactInputs(options);
    throwIfAborted(options.signal);
    await this.#stage(call, async (staged) => {
      if (isSequence(artifacts)) await this.#saveSequence(artifacts, inputs, staged, target, options, call);
      else await this.#saveBatch(inputsOf(artifacts, inputs), inputs, staged, target, options);
    });
  }

  /** Saves bytes that come piece by piece, from `again` once more; few ones as if they had been in memory. */
  async saveStream(
    name: string,
    source: AsyncIterable<Uint8Array>,
    target: TableWriter,
    options: ArtifactStreamOptions,
    call: SaveCall,
    again?: StreamOptions['again'],
  ): Promise<void> {
    call.expect([artifactSubject(name)]);
    checkStream(name, source, options);
    const { compression, rawDataPath, signal } = options;
    const pieces = whileOpen(abortable(source, { signal }), call);
    const { head, rest } = await readHead(pieces, CHUNKED_FROM_BYTES);
    if (!rest) return this.save({ [name]: head }, target, { compression, rawDataPath, signal }, call);
    const place = checkRawDataPath(rawDataPath) ?? target.rawDataPath;
    const writer = await target.writers.to(place, { signal }).catch(async (error: unknown) => {
      await pieces.return(undefined); // nobody reads on, so that a file or socket would stay open
      throw error;
    });
    const readAgain = again && (() => whileOpen(again(), call));
    const content = await writer.saveStream(rest, { again: readAgain, compression, signal });
    const { key, bytes } = content;
    const entry = { name, type: 'Uint8Array', encoding: 'bytes', key, bytes, content } as const;
    await this.adopt([{ entry, refs: [] }], call);
  }

  /** Names rows whose content and references are relied on, or written, already. `last` comes before that, and may still throw. */
  async adopt(rows: readonly TableRow[], call: SaveCall, last: () => void = () => {}): Promise<void> {
    await this.#stage(call, async (staged) => {
      for (const row of rows) this.#put(staged, row.entry.name, row);
      call.ensureOpen();
      last();
    });
  }

  /** Finds everything again that the rows rest on, for a new session; those that lack something leave the table, and are named. */
  async relyAgain({ writers }: TableWriter, options: CallOptions): Promise<string[]> {
    const rows = [...this.#rows].filter(([, { entry }]) => entry.content);
    const missing = new Set((await writers.relyOnRefs(refsOf([...this.#rows.values()]), options)).map(refId));
    const contents = await writers.relyAll(
      rows.map(([, { entry }]) => entry.content as StoredContent),
      options,
    );
    const lost: string[] = [];
    rows.forEach(([name, { entry, refs }], index) => {
      const content = contents[index];
      if (content) this.#rows.set(name, { entry: { ...entry, content }, refs });
      else lost.push(name);
    });
    for (const [name, { refs }] of this.#rows)
      if (missing.size > 0 && refs.some((ref) => missing.has(refId(ref)))) lost.push(name);
    for (const name of lost) this.#rows.delete(name);
    return [...new Set(lost)];
  }

  /** The table as a description holds it, but for what is `omitted`. */
  toTable(omitted: ReadonlySet<string> = NOTHING): ArtifactTable {
    const rows = [...this.#rows.values()].filter(({ entry }) => !omitted.has(entry.name));
    return { artifacts: rows.map((row) => row.entry), refs: refsOf(rows) };
  }

  async #stage(call: SaveCall, work: (staged: StagedRows) => Promise<void>): Promise<void> {
    const staged: StagedRows = { rows: new Map(), inlineBytes: 0 };
    try {
      await work(staged);
      call.ensureOpen();
    } catch (error) {
      this.#inlineBytes -= staged.inlineBytes;
      throw error;
    }
    for (const [name, row] of staged.rows) {
      if (call.take(artifactSubject(name))) this.#name(name, row);
      else this.#inlineBytes -= inlineBytesOf(row);
    }
  }

  async #saveBatch(
    batch: readonly ArtifactInput[],
    inputs: ArtifactInputs,
    staged: StagedRows,
    target: TableWriter,
    options: CallOptions,
  ): Promise<void> {
    inputs.checkAllUsed();
    const loading = this.#registry.prepareToSave(batch.map(({ value }) => value));
    if (loading) await loading;
    const referring: Referring[] = [];
    const large: LargeValue[] = [];
    for (const input of batch) {
      const value = this.#stageValue(input, staged, referring);
      if (value) large.push(value);
    }
    await relyOnRefs(target.writers, referring, options);
    if (large.length === 0) return;
    await this.#writeLarge(large, staged, target, options);
    // Written or inline, artifacts stand in the order in which they were given.
    const { rows } = staged;
    staged.rows = new Map(batch.map(({ name }) => [name, rows.get(name) as TableRow]));
  }

  async #saveSequence(
    artifacts: Iterable<unknown> | AsyncIterable<unknown>,
    inputs: ArtifactInputs,
    staged: StagedRows,
    target: TableWriter,
    options: CallOptions,
    call: SaveCall,
  ): Promise<void> {
    const order = new Set<string>();
    let gathered: LargeValue[] = [];
    let gatheredBytes = 0;
    const flush = async (): Promise<void> => {
      const values = gathered;
      gathered = [];
      gatheredBytes = 0;
      await this.#writeLarge(values, staged, target, options);
    };
    const items = Symbol.asyncIterator in artifacts ? untilAborted(artifacts, options) : takeOnce(artifacts);
    let turnBegan = performance.now();
    for await (const item of items) {
      // Small values of a generator that never waits would keep timers and signals from their turn.
      if (performance.now() - turnBegan > MAX_TURN_MS) {
        await nextTurn();
        turnBegan = performance.now();
      }
      throwIfAborted(options.signal);
      const input = inputs.item(item);
      call.expect([artifactSubject(input.name)]);
      const loading = this.#registry.prepareToSave([input.value]);
      if (loading) await loading;
      order.add(input.name);
      const referring: Referring[] = [];
      const value = this.#stageValue(input, staged, referring);
      await relyOnRefs(target.writers, referring, options);
      if (!value) {
        gathered = gathered.filter(({ name }) => name !== input.name);
      } else if (value.bytes.length >= CHUNKED_FROM_BYTES) {
        await flush();
        await this.#writeLarge([value], staged, target, options);
      } else {
        // A copy, because whoever gives the values may use the memory of this one for the next.
        gathered.push({ ...value, bytes: value.bytes.slice() });
        gatheredBytes += value.bytes.length;
        if (gatheredBytes >= GATHER_BYTES || gathered.length >= GATHER_COUNT) await flush();
      }
    }
    await flush();
    inputs.checkAllUsed();
    const { rows } = staged;
    staged.rows = new Map([...order].map((name) => [name, rows.get(name) as TableRow]));
  }

  /** Serializes a value, adds to `referring` what it refers to, and stages its row if it is kept inline; else returns what has to be written. */
  #stageValue(
    { name, value, options }: ArtifactInput,
    staged: StagedRows,
    referring: Referring[],
  ): LargeValue | undefined {
    const { serializer, compression } = options;
    const serialized = this.#registry.serialize(
      name,
      value,
      serializer === undefined ? undefined : { serializer },
    );
    const { bytes } = serialized;
    if (serialized.refs.length > 0) referring.push({ name, refs: serialized.refs });
    if (!this.#isInline(name, bytes.length, options, staged)) {
      return { ...serialized, name, compression, rawDataPath: checkRawDataPath(options.rawDataPath) };
    }
    const entry = { ...describe(name, serialized), key: digestHex(bytes), inline: toInline(serialized) };
    this.#put(staged, name, { entry, refs: serialized.refs });
    return undefined;
  }

  #isInline(name: string, bytes: number, { inline }: ArtifactOptions, staged: StagedRows): boolean {
    if (inline === false || (!inline && bytes > this.#maxInlineBytes)) return false;
    const total = this.#inlineBytes + bytes;
    if (total <= MAX_INLINE_TOTAL_BYTES) return true;
    return total - inlineBytesOf(staged.rows.get(name)) <= MAX_INLINE_TOTAL_BYTES;
  }

  async #writeLarge(
    values: readonly LargeValue[],
    staged: StagedRows,
    target: TableWriter,
    { signal }: CallOptions,
  ): Promise<void> {
    const byWriter = new Map<ContentWriter, LargeValue[]>();
    // Every place is found before anything is written.
    for (const value of values) {
      const writer = await target.writers.to(value.rawDataPath ?? target.rawDataPath, { signal });
      const group = byWriter.get(writer);
      if (group) group.push(value);
      else byWriter.set(writer, [value]);
    }
    for (const [writer, group] of byWriter) {
      const contents = await writer.saveAll(group, { signal });
      group.forEach((value, index) => {
        const content = contents[index] as StoredContent;
        const entry = { ...describe(value.name, value), key: content.key, content };
        this.#put(staged, value.name, { entry, refs: value.refs });
      });
    }
  }

  #put(staged: StagedRows, name: string, row: TableRow): void {
    const added = inlineBytesOf(row) - inlineBytesOf(staged.rows.get(name));
    staged.inlineBytes += added;
    this.#inlineBytes += added;
    staged.rows.set(name, row);
  }

  #name(name: string, row: TableRow): void {
    this.#inlineBytes -= inlineBytesOf(this.#rows.get(name));
    this.#rows.set(name, row);
  }
}

/** A stream that ends with its attempt: nobody could name what comes later, of which there may be no end. */
async function* whileOpen(source: AsyncIterable<Uint8Array>, call: SaveCall): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    call.ensureOpen();
    yield piece;
  }
}

/** What rows refer to, each once. Those that were passed down share one list. */
function refsOf(rows: readonly TableRow[]): ContentRef[] {
  const refs = new Map<string, ContentRef>();
  for (const shared of new Set(rows.map((row) => row.refs)))
    for (const ref of shared) refs.set(refId(ref), ref);
  return [...refs.values()];
}

/** @throws StowageError `CONTENT_NOT_FOUND` naming the artifact that refers to what is not in the store */
async function relyOnRefs(
  writers: SessionWriters,
  referring: readonly Referring[],
  options: CallOptions,
): Promise<void> {
  if (referring.length === 0) return;
  const [missing] = await writers.relyOnRefs(
    referring.flatMap(({ refs }) => refs),
    options,
  );
  if (!missing) return;
  const { kind, name } = missing;
  const artifact = referring.find(({ refs }) => refs.some((ref) => refId(ref) === refId(missing)))?.name;
  throw new StowageError(
    'CONTENT_NOT_FOUND',
    `Artifact ${artifact} refers to the ${kind} ${name}, of which nothing whole is in the store, so that it would lead nowhere. Save that content first, and release it only once the attempt is closed.`,
    { details: { artifact, kind, name } },
  );
}

function inlineBytesOf(row: TableRow | undefined): number {
  return row?.entry.inline ? row.entry.bytes : 0;
}

function describe(
  name: string,
  { type, encoding, info, bytes }: SerializedArtifact,
): Pick<ArtifactEntry, 'name' | 'type' | 'encoding' | 'info' | 'bytes'> {
  const shared = { name, type, encoding, bytes: bytes.length };
  return info === undefined ? shared : { ...shared, info };
}

export function artifactSubject(name: string): Subject {
  return `artifact ${name}`;
}
