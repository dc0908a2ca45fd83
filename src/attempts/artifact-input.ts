import { types } from 'node:util';
import type { ProgressOptions } from '../async/progress.ts';
import { type Compression, checkCompression } from '../codec/payload.ts';
import { checkRawDataPath, type RawDataPathOptions } from '../content/places/raw-data-path.ts';
import { invalidArgument } from '../errors.ts';
import { checkMembers } from '../options/option-names.ts';
import {
  ANYTHING,
  checkKinds,
  checkOptions,
  FLAG,
  type OptionKind,
  type OptionTable,
  PROGRESS_OPTIONS,
} from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { checkUnread } from '../streams/read-once.ts';
import { isDisguised } from '../values/built-in-kind.ts';
import type { SerializedArtifact } from '../values/serializer.ts';

/** Options of one artifact. */
export interface ArtifactOptions extends RawDataPathOptions {
  /** The compression of its content. Default: the store's setting. */
  compression?: Compression | undefined;
  /** The id of the serializer to use. Default: the first that accepts the value. */
  serializer?: string | undefined;
  /**
   * `true` keeps the value in metadata.json however large it is, as long as all inline values of the attempt stay
   * within 512 KiB; `false` makes it content however small it is. Default: by its size, see `maxInlineBytes`.
   */
  inline?: boolean | undefined;
}

/** A value that was serialized before, given in its place: it is saved without being serialized again. */
export class SavedForm {
  readonly serialized: SerializedArtifact;

  constructor(serialized: SerializedArtifact) {
    this.serialized = serialized;
  }

  /** False of a value that throws on every question, too. */
  static is(value: unknown): value is SavedForm {
    try {
      return value instanceof SavedForm;
    } catch {
      return false;
    }
  }
}

/** Options of all artifacts of a call, and by name where one differs. */
export interface SaveOptions extends CallOptions, ArtifactOptions, ProgressOptions {
  /** Options of single artifacts, by name; they come before those of the call. Default: none. */
  artifacts?: Readonly<Record<string, ArtifactOptions>> | undefined;
}

/** Options of a stream that is saved as an artifact. */
export interface ArtifactStreamOptions
  extends Pick<ArtifactOptions, 'compression' | 'rawDataPath'>,
    CallOptions,
    ProgressOptions {}

/** An artifact in an iterable: `[name, value]`, or an object, which may hold options of its own. */
export type NamedArtifact =
  | readonly [name: string, value: unknown]
  | ({ name: string; value: unknown } & ArtifactOptions);

/** The argument of `saveArtifacts`: values by name, or an iterable of artifacts. */
export type Artifacts =
  | Readonly<Record<string, unknown>>
  | Iterable<NamedArtifact>
  | AsyncIterable<NamedArtifact>;

/** An artifact that is about to be saved. */
export interface ArtifactInput {
  name: string;
  value: unknown;
  options: ArtifactOptions;
  /** Of the place that its content goes to; `undefined` for the store itself. */
  address: string | undefined;
}

const SERIALIZER_ID: OptionKind = {
  expects: "the id of a serializer, such as 'msgpack'",
  accepts: (value) => typeof value === 'string',
};
const BY_NAME: OptionKind = {
  expects: "options by the names of artifacts, such as { model: { compression: 'none' } }",
  accepts: isObject,
};
/** Those that are `ANYTHING` are checked by {@link checkUsed}. */
const BYTES_OPTIONS = { compression: ANYTHING, rawDataPath: ANYTHING };
const STREAM_OPTIONS: OptionTable<ArtifactStreamOptions> = { ...BYTES_OPTIONS, ...PROGRESS_OPTIONS };
const ARTIFACT_OPTIONS: OptionTable<ArtifactOptions> = {
  ...BYTES_OPTIONS,
  serializer: SERIALIZER_ID,
  inline: FLAG,
};
const SAVE_OPTIONS: OptionTable<SaveOptions> = {
  ...ARTIFACT_OPTIONS,
  ...PROGRESS_OPTIONS,
  artifacts: BY_NAME,
};

/** The options of a call, checked, and which artifact they make of a name and a value. */
export class ArtifactInputs {
  readonly #options: ArtifactOptions;
  readonly #byName: Readonly<Record<string, ArtifactOptions>>;
  readonly #address: string | undefined;
  readonly #unused: Set<string>;

  /**
   * @param address - of the place that content goes to unless the options say otherwise
   * @throws StowageError `INVALID_ARGUMENT`
   */
  constructor(options: SaveOptions, address: string | undefined) {
    checkOptions(options, 'saveArtifacts', SAVE_OPTIONS);
    const { artifacts = {}, signal: _, onProgress: __, ...shared } = options;
    checkUsed(shared);
    for (const [name, own] of Object.entries(artifacts)) checkOptionsOf(name, own);
    this.#options = shared;
    this.#address = address;
    this.#byName = artifacts;
    this.#unused = new Set(Object.keys(artifacts));
  }

  /** @throws StowageError `INVALID_NAME` */
  named(name: string, value: unknown, own?: ArtifactOptions): ArtifactInput {
    validateUserName(name, 'artifact name');
    this.#unused.delete(name);
    const byName = Object.hasOwn(this.#byName, name) ? this.#byName[name] : undefined;
    const options = merge(merge(this.#options, byName), own);
    return { name, value, options, address: checkRawDataPath(options.rawDataPath) ?? this.#address };
  }

  /** @throws StowageError `INVALID_ARGUMENT` for what is no artifact, `INVALID_NAME` */
  item(item: unknown): ArtifactInput {
    if (Array.isArray(item) && item.length === 2 && typeof item[0] === 'string') {
      return this.named(item[0], item[1]);
    }
    const isNamed = isObject(item) && 'name' in item && 'value' in item;
    if (!isNamed || typeof item.name !== 'string') {
      throw invalidArgument(
        'An iterable of artifacts gives [name, value], or { name, value }, and nothing else.',
      );
    }
    const { name, value, ...own } = item as { name: string; value: unknown } & ArtifactOptions;
    checkOptionsOf(name, own);
    return this.named(name, value, own);
  }

  /** Options for an artifact that was not saved are a mistake in its name. */
  checkAllUsed(): void {
    const [name] = this.#unused;
    if (name === undefined) return;
    throw invalidArgument(
      `The options name an artifact ${name} that is not among those saved; correct the name.`,
      { artifact: name },
    );
  }
}

/** Tells artifacts that come one after the other, and are saved one by one. Lists and Maps are in memory already. */
export function isSequence(
  artifacts: Artifacts,
): artifacts is Iterable<NamedArtifact> | AsyncIterable<NamedArtifact> {
  if (Array.isArray(artifacts) || artifacts instanceof Map) return false;
  return Symbol.iterator in artifacts || Symbol.asyncIterator in artifacts;
}

/**
 * The artifacts of a record, a list or a Map.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`
 */
export function inputsOf(artifacts: Artifacts, inputs: ArtifactInputs): ArtifactInput[] {
  if (Array.isArray(artifacts) || artifacts instanceof Map) {
    const byName = new Map(
      Array.from(artifacts, (item) => inputs.item(item)).map((input) => [input.name, input]),
    );
    return [...byName.values()];
  }
  const entries = Object.entries(artifacts);
  const leftOut = Reflect.ownKeys(artifacts).find((key) => isLeftOut(artifacts, key));
  if (leftOut !== undefined) {
    const what = typeof leftOut === 'symbol' ? 'a symbol' : 'not enumerable';
    throw invalidArgument(
      `The record of artifacts has a member ${String(leftOut)} that is ${what}, so that it names no artifact; make it an ordinary property, or leave it out.`,
      { artifact: String(leftOut) },
    );
  }
  return entries.map(([name, value]) => inputs.named(name, value));
}

/** Finds a member that would be left out in silence. A hidden symbol, as every module has, is no artifact's. */
function isLeftOut(artifacts: object, key: PropertyKey): boolean {
  return (typeof key === 'symbol') === Object.prototype.propertyIsEnumerable.call(artifacts, key);
}

/** The names in a record, a list or a Map, up to the first item of a list that has none, for which it is refused. */
export function namesOf(artifacts: Artifacts): string[] {
  if (!(Array.isArray(artifacts) || artifacts instanceof Map)) return Object.keys(artifacts);
  const names: string[] = [];
  for (const item of artifacts as Iterable<unknown>) {
    const name: unknown = Array.isArray(item)
      ? item[0]
      : (item as { name?: unknown } | null | undefined)?.name;
    if (typeof name !== 'string') break;
    names.push(name);
  }
  return names;
}

/**
 * Checks what is to be saved as a stream, before anything is read of it.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`
 */
export function checkStream(name: string, source: unknown, options: ArtifactStreamOptions): void {
  checkOptions(options, 'saveArtifactStream', STREAM_OPTIONS);
  validateUserName(name, 'artifact name');
  checkUsed(options);
  if (isObject(source) && Symbol.asyncIterator in source) {
    checkUnread(source, `The stream of artifact ${name}`);
    return;
  }
  throw invalidArgument(
    'saveArtifactStream takes an async iterable of bytes, such as a Readable; a value in memory is saved by saveArtifacts.',
  );
}

/**
 * Refuses what was not made to hold values by name: a promise, a Date or an instance of a class would else be saved
 * as nothing at all.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function checkArtifacts(artifacts: unknown): asserts artifacts is Artifacts {
  if (types.isPromise(artifacts)) {
    throw invalidArgument(
      'A promise was passed in place of artifacts: await it first, and save what it gives.',
    );
  }
  // Sets, typed arrays and the like have no names.
  const isNamed = isObject(artifacts) && !ArrayBuffer.isView(artifacts) && !(artifacts instanceof Set);
  if (
    isNamed &&
    ((isRecord(artifacts) && !isDisguised(artifacts, true)) ||
      Symbol.iterator in artifacts ||
      Symbol.asyncIterator in artifacts)
  ) {
    return;
  }
  throw invalidArgument(
    'Artifacts are saved by name: pass an object such as { model, metrics }, or an iterable of [name, value].',
  );
}

/** Knows an object that is no instance of a class, of this realm or another. */
function isRecord(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function merge(base: ArtifactOptions, over: ArtifactOptions | undefined): ArtifactOptions {
  if (!over) return base;
  return {
    compression: over.compression ?? base.compression,
    serializer: over.serializer ?? base.serializer,
    inline: over.inline ?? base.inline,
    rawDataPath: over.rawDataPath ?? base.rawDataPath,
  };
}

/** Checks the options of one artifact. */
function checkOptionsOf(name: string, options: unknown): void {
  if (!isObject(options)) {
    throw invalidArgument(
      `The options of artifact ${name} must be an object such as { compression: 'none' }.`,
      {
        artifact: name,
      },
    );
  }
  checkMembers(options, `Artifact ${name}`, Object.keys(ARTIFACT_OPTIONS));
  checkKinds<ArtifactOptions>(options, ARTIFACT_OPTIONS, ` of artifact ${name}`);
  checkUsed(options);
}

/** Checks the options whose values are checked by what they are used for. */
function checkUsed({ compression, rawDataPath }: Pick<ArtifactOptions, 'compression' | 'rawDataPath'>): void {
  checkRawDataPath(rawDataPath);
  if (compression !== undefined) checkCompression(compression);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
