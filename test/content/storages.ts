import { openEnvelope } from '../../src/codec/envelope.ts';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { isStowageError, type StowageErrorCode } from '../../src/errors.ts';
import { decodeManifest, type Manifest } from '../../src/format/manifest.ts';
import { decodeRecord } from '../../src/format/record.ts';
import type { RecordSubject } from '../../src/format/record-fields.ts';
import { encodeDone } from '../../src/format/session-files.ts';
import type { SessionId } from '../../src/format/session-id.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import type { Session } from '../../src/sessions/session.ts';
import { StandaloneSession } from '../../src/sessions/standalone-session.ts';
import type {
  CallOptions,
  CreateOptions,
  DataStoreStorage,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  OverwriteOptions,
  StorageCapabilities,
  StoredObject,
} from '../../src/storage/contract.ts';
import { StorageDecorator, type StorageOperation } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';

/** The code of the StowageError that `call` ends with, or `undefined` where it succeeds; anything else is thrown on. */
export async function codeOf(
  call: Promise<unknown> | (() => unknown),
): Promise<StowageErrorCode | undefined> {
  try {
    await (typeof call === 'function' ? call() : call);
    return undefined;
  } catch (error) {
    if (isStowageError(error)) return error.code;
    throw error;
  }
}

/** The names of all objects that begin with `prefix`. */
export async function namesOf(storage: DataStoreStorage, prefix = ''): Promise<string[]> {
  const names: string[] = [];
  for await (const page of storage.list({ prefix })) names.push(...page.objects.map(({ name }) => name));
  return names;
}

/** Names of copies of all contents, without marks. */
export async function copiesIn(storage: DataStoreStorage): Promise<string[]> {
  const names = [...(await namesOf(storage, 'data/')), ...(await namesOf(storage, 'manifests/'))];
  return names.filter((name) => !name.endsWith('.damaged'));
}

/** The plain object that a URI of `saveData` leads to. */
export async function plainAt(storage: DataStoreStorage, { uri }: { uri: string }): Promise<string> {
  const found = (await namesOf(storage, 'plain/')).find((name) => storage.uri(name) === uri);
  if (found === undefined) throw new Error(`${uri} leads to no plain object`);
  return found;
}

/** The one object whose name begins so. */
export async function onlyName(storage: DataStoreStorage, prefix: string): Promise<string> {
  const names = await namesOf(storage, prefix);
  if (names.length !== 1) throw new Error(`${prefix} has ${names.length} objects: ${names.join(', ')}`);
  return names[0] as string;
}

export async function bodyOf(storage: DataStoreStorage, name: string): Promise<Uint8Array> {
  const object = await storage.get(name);
  if (!object) throw new Error(`${name} is not there`);
  return object.body;
}

/** A copy of a storage that can be damaged. */
export async function cloneOf(storage: DataStoreStorage): Promise<MemoryStorage> {
  const clone = new MemoryStorage();
  await mergeInto(clone, storage);
  return clone;
}

/** Adds all objects of `source` that `target` lacks. */
export async function mergeInto(target: DataStoreStorage, source: DataStoreStorage): Promise<void> {
  for (const name of await namesOf(source)) await target.create(name, await bodyOf(source, name));
}

/** The same bytes with one bit turned over, counted through the bytes. */
export function withFlippedBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = new Uint8Array(bytes); // the slice of a Buffer would be a view
  flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
  return flipped;
}

/** A way to damage an object. */
export interface Damage {
  title: string;
  apply(bytes: Uint8Array): Uint8Array;
}

/** Truncations and flipped bits all over an object of `length` bytes: every byte of a header, a sample of the rest. */
export function damagesOf(length: number, samples: number): Damage[] {
  const damages: Damage[] = [];
  const positions = new Set<number>();
  for (let at = 0; at < Math.min(48, length); at++) positions.add(at);
  for (let i = 0; i < samples; i++) positions.add(Math.floor(((i + 0.5) * length) / samples));
  positions.add(length - 1);
  for (const at of positions) {
    const bit = at * 8 + (at % 8);
    damages.push({ title: `bit ${bit} flipped`, apply: (bytes) => withFlippedBit(bytes, bit) });
  }
  const lengths = new Set([0, 1, 47, 48, 49, length >>> 1, length - 1].filter((cut) => cut < length));
  for (const cut of lengths) {
    damages.push({ title: `truncated to ${cut}`, apply: (bytes) => bytes.slice(0, cut) });
  }
  return damages;
}

/** A store as a process that has just begun sees it. */
export function freshStore(
  storage: DataStoreStorage,
  options: ConstructorParameters<typeof ContentAddressedStore>[1] = {},
): ContentAddressedStore {
  return new ContentAddressedStore(storage, options);
}

/** A session that writes to a store, outside a task. */
export async function openSession(store: ContentAddressedStore, id?: SessionId): Promise<Session> {
  return (await StandaloneSession.open(store, { id })).session;
}

/** Writes down every call, in the order of their beginnings, and lets a test act before one. */
export class ObservedStorage extends StorageDecorator {
  /** `operation name`, for listings `list prefix`. */
  readonly calls: string[] = [];
  /** Awaited before a call goes on. */
  before: (operation: StorageOperation, name: string) => unknown = () => {};
  readonly #localReads: boolean;

  /** `localReads: false` makes it look like a storage in the network. */
  constructor(inner: DataStoreStorage, { localReads = true }: { localReads?: boolean } = {}) {
    super(inner);
    this.#localReads = localReads;
  }

  override get capabilities(): StorageCapabilities {
    return { ...this.inner.capabilities, localReads: this.#localReads };
  }

  override async get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    await this.#note('get', name);
    return this.inner.get(name, options);
  }

  override async create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    await this.#note('create', name);
    return this.inner.create(name, body, options);
  }

  override async overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string> {
    await this.#note('overwrite', name);
    return this.inner.overwrite(name, body, options);
  }

  override async head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    await this.#note('head', name);
    return this.inner.head(name, options);
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage> {
    await this.#note('list', options.prefix);
    yield* this.inner.list(options);
  }

  /** Where the first call of this kind stands that comes after `after`; -1 without one. */
  indexOf(call: RegExp, after = -1): number {
    return this.calls.findIndex((made, index) => index > after && call.test(made));
  }

  async #note(operation: StorageOperation, name: string): Promise<void> {
    this.calls.push(`${operation} ${name}`);
    await this.before(operation, name);
  }
}

/** The DONE by which a collector gives up on a session, as its attempt.json tells it. */
export function abandonedDone(attempt: Uint8Array): Uint8Array {
  const { format, kind, startedAt, owner, pins, origin, session, ...subject } = decodeRecord(
    attempt,
    'attempt',
  );
  const closedAt = new Date().toISOString();
  const done = { outcome: 'abandoned', session: session as string, closedAt } as const;
  return encodeDone(done, subject as RecordSubject);
}

/** The manifest of a content. */
export async function manifestIn(storage: DataStoreStorage, { key, copy }: StoredContent): Promise<Manifest> {
  const { raw } = openEnvelope(await bodyOf(storage, copy), { kind: 'manifest' });
  return decodeManifest(raw, key, copy);
}
