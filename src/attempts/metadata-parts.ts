import { invalidArgument, isStowageError, StowageError, thrownText } from '../errors.ts';
import { createOwn } from '../format/create-own.ts';
import type { JsonValue } from '../format/json-value.ts';
import { encodeMetadataPart, metadataPartName, metadataPartSubject } from '../format/metadata-parts.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { isDisguised } from '../values/built-in-kind.ts';
import { shownPath } from '../values/value-path.ts';

/** JSON that users keep about an attempt, beside its artifacts. */
export type Metadata = Record<string, JsonValue>;

const MAX_DEPTH = 100;
const MAX_VALUES = 1_000_000;

/**
 * The metadata of an attempt that is being written: each part at once, so that a crash keeps it, and all of it once
 * more in the description.
 */
export class MetadataWriter {
  readonly #storage: DataStoreStorage;
  readonly #path: TaskPath;
  readonly #attempt: number;
  /** The metadata that was written, each member by the latest call that has it. */
  readonly merged: Metadata = {};
  #parts = 0;
  #bytes = 0;

  constructor(storage: DataStoreStorage, path: TaskPath, attempt: number) {
    this.#storage = storage;
    this.#path = path;
    this.#attempt = attempt;
  }

  /**
   * Writes a part, and returns it as JSON holds it.
   *
   * @throws StowageError `INVALID_ARGUMENT` for what JSON cannot hold, or beyond what can be read again
   */
  async write(metadata: Metadata, options: CallOptions): Promise<Metadata> {
    const part = toMetadata(metadata);
    const sequence = this.#parts;
    const record = encodeMetadataPart(
      part,
      this.#bytes,
      metadataPartSubject(this.#path, this.#attempt, sequence),
    );
    this.#parts += 1;
    this.#bytes += record.length;
    const name = metadataPartName(this.#path, this.#attempt, sequence);
    await createOwn(this.#storage, name, record, { durability: 'deferred', ...options });
    return part;
  }
}

/**
 * A copy of what a user passed as metadata, exactly as JSON holds it: -0 is 0, which it equals.
 *
 * @throws StowageError `INVALID_ARGUMENT` for what JSON cannot hold (`NaN`, `undefined`, a `Map`, a function, ...), naming its path.
 */
export function toMetadata(value: unknown, what = 'metadata'): Metadata {
  try {
    if (!isPlainObject(value)) throw notJson(what);
    return copyJson(value, what, MAX_DEPTH, { left: MAX_VALUES }) as Metadata;
  } catch (error) {
    if (isStowageError(error)) throw error;
    throw new StowageError(
      'INVALID_ARGUMENT',
      `${what} cannot be read: it threw ${thrownText(error)}. Give a plain copy of the data in it.`,
      { cause: error },
    );
  }
}

function copyJson(value: unknown, path: string, levels: number, values: { left: number }): JsonValue {
  // A value that is reached on many ways is copied as often, so that the values count, not the objects.
  if (values.left-- === 0) throw notJson(path);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  // JSON text has no -0 that every program writes; what is kept is the same here as where it is loaded.
  if (typeof value === 'number' && Number.isFinite(value)) return value === 0 ? 0 : value;
  if (value === undefined) throw undefinedMember(path);
  if (typeof value !== 'object' || levels === 0) throw notJson(path);
  const keys = Reflect.ownKeys(value);
  if (Array.isArray(value)) {
    // Its elements and its length, and nothing that JSON would leave out; of no other class (the prototype of
    // arrays is one, in every realm).
    const isOther = !Array.isArray(Object.getPrototypeOf(value));
    if (isOther || keys.length !== value.length + 1) throw notJson(path);
    return Array.from(value, (item, index) => copyJson(item, `${path}[${index}]`, levels - 1, values));
  }
  if (!isPlainObject(value) || isDisguised(value, keys.length === 0)) throw notJson(path);
  if (keys.length !== Object.keys(value).length) throw notJson(path);
  const members = Object.entries(value);
  if (members.some(([name]) => name === '__proto__')) throw prototypeKey(path);
  return Object.fromEntries(
    members.map(([name, member]) => [name, copyJson(member, `${path}.${name}`, levels - 1, values)]),
  );
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function notJson(path: string): StowageError {
  return invalidArgument(
    `${shownPath(path)} is not what JSON holds: metadata and parameters are objects of JSON values, at most ${MAX_DEPTH} levels deep; save anything else as an artifact.`,
    { path },
  );
}

function undefinedMember(path: string): StowageError {
  return invalidArgument(
    `${shownPath(path)} is undefined, which JSON leaves out: leave it out yourself, or say null.`,
    {
      path,
    },
  );
}

function prototypeKey(path: string): StowageError {
  return invalidArgument(
    `${shownPath(path)} has a member __proto__, which would set a prototype once somebody copies it; leave it out, or give it another name.`,
    { path },
  );
}
