import { afterTurn } from '../async/turns.ts';
import { StowageError, throwIfAborted } from '../errors.ts';
import { checkBody, isStream, readChunks } from '../streams/body-stream.ts';
import { closedError, listLimit, readableRange } from './checks.ts';
import type {
  CallOptions,
  CreateOptions,
  DataStoreStorage,
  DeleteFailure,
  FilledObject,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  OverwriteOptions,
  PersistOptions,
  ReadTarget,
  StorageCapabilities,
  StoredObject,
  TransferOptions,
} from './contract.ts';
import { type ListEntry, pagesOf } from './list-pages.ts';
import { SortedNames } from './memory/sorted-names.ts';
import { compareNames } from './name-order.ts';
import { validateObjectName, validatePrefix } from './names.ts';
import { rangeOf, scatter } from './read-into.ts';

interface MemoryObject {
  body: Uint8Array;
  modifiedAtMs: number;
  version: number;
}

/** The state that instances share. */
class MemoryObjects {
  readonly byName = new Map<string, MemoryObject>();
  readonly names = new SortedNames();
  versions = 0;

  put(name: string, body: Uint8Array): MemoryObject {
    this.versions += 1;
    const object = { body, modifiedAtMs: Date.now(), version: this.versions };
    if (!this.byName.has(name)) this.names.add(name);
    this.byName.set(name, object);
    return object;
  }

  delete(name: string): void {
    if (this.byName.delete(name)) this.names.delete(name);
  }
}

const shared = new Map<string, MemoryObjects>();

const CAPABILITIES: StorageCapabilities = Object.freeze({
  createIfAbsent: true,
  ifMatch: true,
  rangeReads: true,
  localReads: true,
  sharedByProcesses: false,
  nameEncoding: 'exact',
});

/**
 * Keeps objects in memory, for tests and scratch work. Bytes are copied in and out, so that it behaves like any other
 * storage. Without a name each instance is a store of its own; instances of one name share a store, which lives as
 * long as the process.
 */
export class MemoryStorage implements DataStoreStorage {
  readonly type = 'memory';
  readonly capabilities: StorageCapabilities;
  /** The name that instances share a store by; empty for a store of one's own. */
  readonly name: string;
  readonly #objects: MemoryObjects;
  #closed = false;

  /** @param options - `localReads: false` behaves as where a look costs a request, for tests. Default `true`. */
  constructor(name = '', { localReads = true }: { localReads?: boolean } = {}) {
    this.capabilities = localReads ? CAPABILITIES : Object.freeze({ ...CAPABILITIES, localReads });
    this.name = name;
    this.#objects = (name && shared.get(name)) || new MemoryObjects();
    if (name) shared.set(name, this.#objects);
  }

  async get(name: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    this.#begin(options);
    const object = this.#objects.byName.get(validateObjectName(name));
    if (!object) return afterTurn(undefined);
    const { offset, length } = readableRange(name, object.body.length, options);
    return afterTurn({ ...infoOf(name, object), body: object.body.slice(offset, offset + length) });
  }

  async getInto(
    name: string,
    { offset, into }: ReadTarget,
    options: TransferOptions = {},
  ): Promise<FilledObject | undefined> {
    this.#begin(options);
    const object = this.#objects.byName.get(validateObjectName(name));
    if (!object) return afterTurn(undefined);
    const range = readableRange(name, object.body.length, rangeOf(offset, into));
    const filled = scatter(object.body.subarray(range.offset, range.offset + range.length), into);
    return afterTurn({ ...infoOf(name, object), filled });
  }

  async create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    this.#begin(options);
    validateObjectName(name);
    checkBody(body);
    const bytes = isStream(body) ? await collect(body, options.signal) : new Uint8Array(body);
    this.#begin(options);
    if (this.#objects.byName.has(name)) return afterTurn(false);
    this.#objects.put(name, bytes);
    return afterTurn(true);
  }

  async overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}): Promise<string> {
    this.#begin(options);
    validateObjectName(name);
    checkBody(body);
    const { ifMatch } = options;
    const old = this.#objects.byName.get(name);
    if (ifMatch !== undefined && (!old || String(old.version) !== ifMatch)) {
      throw new StowageError(
        'PRECONDITION_FAILED',
        `"${name}" is not at version ${ifMatch} any more; read it again before you replace it.`,
        { details: { name, ifMatch } },
      );
    }
    return afterTurn(String(this.#objects.put(name, new Uint8Array(body)).version));
  }

  async head(name: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    this.#begin(options);
    const object = this.#objects.byName.get(validateObjectName(name));
    return afterTurn(object && infoOf(name, object));
  }

  async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    this.#begin(options);
    validatePrefix(options.prefix);
    for (const page of pagesOf(this.#entries(options), listLimit(options))) {
      yield await afterTurn(page);
      this.#begin(options);
    }
    await afterTurn(undefined);
  }

  async delete(names: readonly string[], options: CallOptions = {}): Promise<DeleteFailure[]> {
    this.#begin(options);
    const failures: DeleteFailure[] = [];
    for (const name of names) {
      try {
        this.#objects.delete(validateObjectName(name));
      } catch (error) {
        failures.push({ name, error: error as Error });
      }
    }
    return afterTurn(failures);
  }

  async persist(names: readonly string[], options: PersistOptions = {}): Promise<void> {
    this.#begin(options);
    names.forEach(validateObjectName);
  }

  uri(name: string): string {
    const path = validateObjectName(name).split('/').map(encodeURIComponent).join('/');
    return `memory:${encodeURIComponent(this.name)}/${path}`;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(options: CallOptions): void {
    if (this.#closed) throw closedError(this.type);
    throwIfAborted(options.signal);
  }

  *#entries(options: ListOptions): Generator<ListEntry> {
    const { prefix, startAfter = '', depth = 'all', details = false } = options;
    const first = compareNames(startAfter, prefix) > 0 ? startAfter : prefix;
    let lastFolder: string | undefined;
    for (const name of this.#namesFrom(first)) {
      if (!name.startsWith(prefix)) return;
      const slash = depth === 'one' ? name.indexOf('/', prefix.length) : -1;
      const folder = slash < 0 ? undefined : name.slice(0, slash + 1);
      if (folder === undefined) {
        const object = this.#objects.byName.get(name);
        if (!object || name === startAfter) continue;
        const { modifiedAtMs, body } = object;
        yield details ? { name, bytes: body.length, modifiedAtMs } : { name };
      } else if (folder !== lastFolder) {
        lastFolder = folder;
        if (compareNames(folder, startAfter) > 0) yield folder;
      }
    }
  }

  /** All names from `first` on, those of objects that were deleted a moment ago among them. */
  *#namesFrom(first: string): Generator<string> {
    for (let names = this.#objects.names.from(first); names.length > 0; ) {
      yield* names;
      // No name lies between: none has a control character.
      names = this.#objects.names.from(`${names.at(-1)}\0`);
    }
  }
}

function infoOf(name: string, object: MemoryObject): ObjectInfo {
  const { body, modifiedAtMs, version } = object;
  return { name, bytes: body.length, modifiedAtMs, version: String(version) };
}

async function collect(stream: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readChunks(stream, signal)) {
    chunks.push(new Uint8Array(chunk));
    bytes += chunk.length;
  }
  const all = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}
