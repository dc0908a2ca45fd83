import type { SerializerRegistry } from '../artifacts/registry.ts';
import type { SerializedArtifact } from '../artifacts/serializer.ts';
import { type Compression, checkCompression } from '../codec/payload.ts';
import type { ContentRef } from '../content/content-ref.ts';
import type { ContentWriter } from '../content/content-writer.ts';
import type { ArtifactEntry, ArtifactTable } from '../content/description.ts';
import type { WriterSession } from '../content/session.ts';
import { digestHex } from '../digest/blake3.ts';
import { StowageError, throwIfAborted } from '../errors.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { toInline } from './inline-value.ts';

/** How artifacts are saved. */
export interface SaveOptions extends CallOptions {
  /** How their content is compressed. Default: the store's setting. */
  compression?: Compression | undefined;
}

/** Under which session content is written and relied on. */
export interface TableWriter {
  session: WriterSession;
  writer: ContentWriter;
}

/** A row, and the contents that references inside the value point at. */
interface Row {
  entry: ArtifactEntry;
  refs: readonly ContentRef[];
}

/** All inline values of an attempt together stay below this. */
export const MAX_INLINE_TOTAL_BYTES: number = 512 * 1024;

/** The artifacts of an open attempt: what its description will name. */
export class AttemptTable {
  readonly #registry: SerializerRegistry;
  readonly #maxInlineBytes: number;
  readonly #rows = new Map<string, Row>();
  /** Of the rows, and of what is being saved beside. */
  #inlineBytes = 0;

  constructor(registry: SerializerRegistry, maxInlineBytes: number) {
    this.#registry = registry;
    this.#maxInlineBytes = maxInlineBytes;
  }

  /** Validates and serializes all values, then writes their content; only then, if `mayName` does not throw, they are named. */
  async save(
    artifacts: Readonly<Record<string, unknown>>,
    target: TableWriter,
    options: SaveOptions,
    mayName: () => void,
  ): Promise<void> {
    throwIfAborted(options.signal);
    if (options.compression !== undefined) checkCompression(options.compression);
    const serialized = serializeAll(this.#registry, artifacts);
    const rows = new Map<string, Row>();
    const large: [string, SerializedArtifact][] = [];
    let reserved = 0;
    for (const [name, value] of serialized) {
      const { length } = value.bytes;
      if (length > this.#maxInlineBytes || this.#inlineBytes + length > MAX_INLINE_TOTAL_BYTES) {
        large.push([name, value]);
        continue;
      }
      this.#inlineBytes += length;
      reserved += length;
      const entry = { ...describe(name, value), key: digestHex(value.bytes), inline: toInline(value) };
      rows.set(name, { entry, refs: value.refs });
    }
    try {
      const refs = serialized.flatMap(([, value]) => value.refs);
      await target.session.pin(refs, options);
      if (large.length > 0) await saveContents(large, rows, target, options);
      mayName();
    } catch (error) {
      this.#inlineBytes -= reserved;
      throw error;
    }
    for (const [name] of serialized) this.#name(name, rows.get(name) as Row);
  }

  /** Finds every content again that the rows rest on, for a new session; those that are gone leave the table, and are named. */
  async relyAgain({ session, writer }: TableWriter, options: CallOptions): Promise<string[]> {
    const lost: string[] = [];
    for (const [name, { entry, refs }] of this.#rows) {
      await session.pin(refs, options);
      if (!entry.content) continue;
      const content = await writer.rely(entry.content, options);
      if (content) this.#rows.set(name, { entry: { ...entry, content }, refs });
      else lost.push(name);
    }
    for (const name of lost) this.#rows.delete(name);
    return lost;
  }

  /** The table as a description holds it. */
  toTable(): ArtifactTable {
    const rows = [...this.#rows.values()];
    const refs = new Map(rows.flatMap((row) => row.refs).map((ref) => [JSON.stringify(ref), ref]));
    return { artifacts: rows.map((row) => row.entry), refs: [...refs.values()] };
  }

  #name(name: string, row: Row): void {
    const replaced = this.#rows.get(name);
    if (replaced?.entry.inline) this.#inlineBytes -= replaced.entry.bytes;
    this.#rows.set(name, row);
  }
}

async function saveContents(
  values: readonly [string, SerializedArtifact][],
  rows: Map<string, Row>,
  { writer }: TableWriter,
  { compression, signal }: SaveOptions,
): Promise<void> {
  const inputs = values.map(([, { bytes, elementBytes }]) => ({ bytes, elementBytes, compression }));
  const contents = await writer.saveAll(inputs, { signal });
  values.forEach(([name, value], index) => {
    const content = contents[index] as (typeof contents)[number];
    rows.set(name, { entry: { ...describe(name, value), key: content.key, content }, refs: value.refs });
  });
}

function serializeAll(
  registry: SerializerRegistry,
  artifacts: Readonly<Record<string, unknown>>,
): [string, SerializedArtifact][] {
  const isObject = typeof artifacts === 'object' && artifacts !== null;
  // Lists, Maps and the like have no names, or hide them.
  if (!isObject || Array.isArray(artifacts) || Symbol.iterator in artifacts) {
    throw new StowageError(
      'INVALID_ARGUMENT',
      'Artifacts are saved by name: pass an object such as { model, metrics }.',
    );
  }
  return Object.keys(artifacts).map((name) => {
    validateUserName(name, 'artifact name');
    return [name, registry.serialize(name, artifacts[name])];
  });
}

function describe(
  name: string,
  { type, encoding, info, bytes }: SerializedArtifact,
): Pick<ArtifactEntry, 'name' | 'type' | 'encoding' | 'info' | 'bytes'> {
  const shared = { name, type, encoding, bytes: bytes.length };
  return info === undefined ? shared : { ...shared, info };
}
