import type { ContentStore } from '../content/content-store.ts';
import { invalidArgument } from '../errors.ts';
import type { ByteRange, CallOptions, DataStoreStorage, ObjectInfo } from '../storage/contract.ts';
import { readAhead } from '../streams/read-ahead.ts';
import { changed, notFound } from './errors.ts';
import { checkUnchanged, type FileReadOptions, type FileSource, type SeenFile } from './file-source.ts';

/** Large objects are read by parts of so many bytes, a few ahead of the one that is given. */
const PART_BYTES = 8 * 1024 * 1024;

/** An object of a storage that `openStorage` knows. */
export class StorageFile implements FileSource {
  readonly #uri: string;
  readonly #seen: SeenFile | undefined;
  readonly #store: ContentStore;
  readonly #isNamed: boolean;

  /** @param isNamed - the program named the address, rather than a value that was loaded */
  constructor(uri: string, store: ContentStore, isNamed: boolean, seen?: SeenFile) {
    this.#uri = uri;
    this.#store = store;
    this.#isNamed = isNamed;
    this.#seen = seen;
  }

  async look(options: CallOptions): Promise<SeenFile | undefined> {
    const { storage, name } = await this.#open(options);
    const info = await storage.head(name, options);
    return info && seenOf(info);
  }

  async *read({ range, signal }: FileReadOptions): AsyncGenerator<Uint8Array> {
    const { storage, name } = await this.#open({ signal });
    const info = await storage.head(name, { signal });
    if (!info) throw notFound(this.#uri);
    checkUnchanged(this.#uri, this.#seen, seenOf(info));
    const end = range ? Math.min(info.bytes, range.offset + range.length) : info.bytes;
    const parts = partsOf(range?.offset ?? 0, end);
    const fetch = async (part: ByteRange, calling: CallOptions): Promise<Uint8Array> => {
      const object = await storage.get(name, { ...calling, range: part });
      if (!object) throw notFound(this.#uri);
      checkUnchanged(this.#uri, seenOf(info), seenOf(object));
      if (object.body.length !== part.length) throw changed(this.#uri, 'it ended while it was read');
      return object.body;
    };
    for await (const { result } of readAhead(parts, fetch, { signal })) yield result;
  }

  async #open(options: CallOptions): Promise<{ storage: DataStoreStorage; name: string }> {
    const { container, name } = splitUri(this.#uri);
    const storage = await this.#store.otherPlaces.container(container, this.#isNamed, options);
    return { storage, name };
  }
}

/**
 * The storage in which an object lies, and its name there: `s3://bucket?region=x` and `a/b.csv` of `s3://bucket/a/b.csv?region=x`.
 *
 * @throws StowageError `INVALID_ARGUMENT` for an address that names no object
 */
export function splitUri(uri: string): { container: string; name: string } {
  const [, container, name, query = ''] =
    /^([a-z][a-z0-9+.-]+:\/\/[^/?]*|[a-z][a-z0-9+.-]+:(?!\/\/)[^/?]*)\/+([^?]+)(\?.*)?$/is.exec(uri) ?? [];
  if (container !== undefined && name !== undefined) return { container: container + query, name };
  throw invalidArgument(
    `"${uri}" names no file; give its whole address, such as s3://bucket/folder/data.csv.`,
    {
      uri,
    },
  );
}

function* partsOf(start: number, end: number): Generator<ByteRange> {
  for (let offset = start; offset < end; offset += PART_BYTES)
    yield { offset, length: Math.min(PART_BYTES, end - offset) };
}

function seenOf({ bytes, version, modifiedAtMs }: ObjectInfo): SeenFile {
  return { size: bytes, version, modifiedAtMs };
}
