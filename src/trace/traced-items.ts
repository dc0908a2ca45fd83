import type { AttemptContext } from '../attempts/open-attempt.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import { type ContentRef, refId } from '../format/content-ref.ts';
import type { TracedItems } from '../format/trace-record.ts';
import { referenceReader } from '../references/read-reference.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { ArtifactEncoding, SerializedArtifact } from '../values/serializer.ts';

/** A stream is recorded whole, so that it has to fit into memory twice. */
const MAX_STREAM_BYTES: number = 256 * 1024 * 1024;

/** The items of a traced stream, as bytes of their own: whoever consumes them may change them. */
export class KeptItems {
  readonly #name: string;
  readonly #registry: SerializerRegistry;
  readonly #items: SerializedArtifact[] = [];
  #bytes = 0;

  /** @param name - of the trace, for errors */
  constructor(name: string, registry: SerializerRegistry) {
    this.#name = name;
    this.#registry = registry;
  }

  get count(): number {
    return this.#items.length;
  }

  /**
   * Keeps the next item.
   *
   * @throws StowageError `UNSERIALIZABLE_ARTIFACT`; `INVALID_ARGUMENT` beyond 256 MiB in all
   */
  async add(item: unknown): Promise<void> {
    const serialized = await this.#serialize(item);
    this.#bytes += serialized.bytes.length;
    if (this.#bytes > MAX_STREAM_BYTES) {
      throw invalidArgument(
        `The stream of trace "${this.#name}" has more than ${MAX_STREAM_BYTES} bytes, and a trace records it whole. Save it by saveArtifactStream, or trace calls that return its parts.`,
        { trace: this.#name, bytes: this.#bytes },
      );
    }
    this.#items.push({ ...serialized, bytes: serialized.bytes.slice() });
  }

  /** Tells whether a stream that is run again gives the same item at this place. */
  async isSame(index: number, item: unknown): Promise<boolean> {
    const kept = this.#items[index];
    const { encoding, type, bytes } = await this.#serialize(item);
    return kept?.encoding === encoding && kept.type === type && Buffer.compare(kept.bytes, bytes) === 0;
  }

  /** The list as one value: of the items themselves where JSON carries each of them, else of their serialized forms. */
  serialize(partial: boolean): { serialized: SerializedArtifact; stream: TracedItems } {
    const items = this.#items;
    const isJson = items.every(({ json }) => json !== undefined);
    const list = isJson
      ? items.map((item) => this.#registry.deserialize(this.#name, item, item.bytes.slice()))
      : items.map(({ encoding, type, info, bytes }) => [encoding, type, info ?? null, bytes]);
    const form = isJson ? 'values' : 'serialized';
    const refs = new Map<string, ContentRef>();
    for (const item of items) for (const ref of item.refs) refs.set(refId(ref), ref);
    const serialized = this.#registry.serialize(this.#name, list, { serializer: 'msgpack' });
    return {
      serialized: { ...serialized, refs: [...refs.values()] },
      stream: { items: items.length, form, partial },
    };
  }

  async #serialize(item: unknown): Promise<SerializedArtifact> {
    const loading = this.#registry.prepareToSave([item]);
    if (loading) await loading;
    return this.#registry.serialize(this.#name, item);
  }
}

/**
 * The items of a recorded list, each made anew, so that nobody shares one.
 *
 * @throws StowageError `RECORD_DAMAGED`, naming `what`
 */
export async function* itemsOf(
  name: string,
  list: unknown,
  { form, items }: TracedItems,
  { content, registry }: Pick<AttemptContext, 'content' | 'registry'>,
  { what, refs }: { what: string; refs: readonly ContentRef[] | undefined },
): AsyncGenerator<unknown, void> {
  if (!Array.isArray(list) || list.length !== items) throw noItems(what);
  for (const item of list) {
    if (form === 'values') {
      yield item;
      continue;
    }
    const [encoding, type, info, bytes] = Array.isArray(item) ? item : [];
    if (typeof encoding !== 'string' || typeof type !== 'string' || !(bytes instanceof Uint8Array))
      throw noItems(what);
    const kind: ArtifactEncoding = info === null ? { encoding, type } : { encoding, type, info };
    const loading = registry.prepareToLoad(kind);
    if (loading) await loading;
    yield registry.deserialize(name, kind, bytes, referenceReader(content, refs));
  }
}

function noItems(what: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} holds no items of a stream, though it says so. Delete it to have the call run again.`,
    { details: { what } },
  );
}
