import { invalidArgument, isStowageError, StowageError } from '../errors.ts';
import { type ContentRef, checkContentRef, refId } from '../format/content-ref.ts';
import { arrowSerializer } from './arrow-serializer.ts';
import { bytesSerializer } from './bytes-serializer.ts';
import { type ClassTransformer, ClassTransformers } from './class-transformers.ts';
import { explainChoice } from './explanation.ts';
import { DEFAULT_LIMITS, type ValueLimits } from './extensions.ts';
import { Refusal, type Unavailable, undecodable, unserializable } from './faults.ts';
import { msgpackSerializer } from './msgpack-serializer.ts';
import { Preparations } from './preparations.ts';
import type { ReferenceReader } from './reference.ts';
import { refusedKind } from './refused-kinds.ts';
import type {
  ArtifactEncoding,
  SerializeContext,
  SerializedArtifact,
  Serializer,
  SerializerChoice,
  SerializerInfo,
} from './serializer.ts';
import { stringSerializer } from './string-serializer.ts';
import { typedArraySerializer } from './typed-array-serializer.ts';

const LARGEST_MAX_BYTES = 2 ** 32 - 1;
const LARGEST_MAX_DEPTH = 2 ** 16;

/** Settings of a {@link SerializerRegistry}. */
export interface SerializerRegistryOptions extends Partial<ValueLimits> {
  /**
   * Imports `apache-arrow`, when the first table is saved or loaded: tables of any copy are saved, those that are loaded are of
   * this one. Default: the copy that is installed beside this package.
   */
  readonly importArrow?: () => Promise<unknown>;
}

/** Options for one value. */
export interface SerializeOptions {
  /** The id of the serializer to use. Default: the first that accepts the value. */
  readonly serializer?: string | undefined;
}

/**
 * Values to bytes and back: tries its serializers by priority, or uses the one that is asked for.
 *
 * A new registry has `bytes`, `typed-array`, `string`, `arrow`, and `msgpack` for everything else.
 */
export class SerializerRegistry {
  /** @internal */
  readonly classes: ClassTransformers = new ClassTransformers();
  /** @internal */
  readonly limits: ValueLimits;
  private readonly preparations = new Preparations();
  private readonly byId = new Map<string, Serializer>();
  private ordered: readonly Serializer[] = [];

  constructor(options: SerializerRegistryOptions = {}) {
    const { importArrow, ...given } = options;
    const limits = { ...DEFAULT_LIMITS, ...given };
    checkLimit('maxBytes', limits.maxBytes, LARGEST_MAX_BYTES);
    checkLimit('maxDepth', limits.maxDepth, LARGEST_MAX_DEPTH);
    this.limits = limits;
    this.register(bytesSerializer);
    this.register(typedArraySerializer);
    this.register(stringSerializer);
    this.register(arrowSerializer(importArrow));
    this.register(msgpackSerializer(this.classes, limits));
  }

  /** Adds a serializer; among equal priorities the one registered first is tried first. `INVALID_ARGUMENT` if its id is taken. */
  register(serializer: Serializer): void {
    if (serializer.id === '' || this.byId.has(serializer.id)) {
      throw invalidArgument(
        `A serializer cannot be registered as "${serializer.id}": an id must not be empty, nor taken.`,
        { serializer: serializer.id },
      );
    }
    this.byId.set(serializer.id, serializer);
    this.preparations.add(serializer);
    this.ordered = [...this.byId.values()].sort((a, b) => b.priority - a.priority);
  }

  /** Makes a class savable anywhere in a value. `INVALID_ARGUMENT` if its name or the class itself is registered already. */
  registerClass<T, V>(transformer: ClassTransformer<T, V>): void {
    this.classes.add(transformer);
  }

  /** The serializers, in the order they are tried. */
  list(): readonly Serializer[] {
    return this.ordered;
  }

  /** All serializers in the order they are tried, with what each is for, and whether it can work here. */
  async describe(): Promise<SerializerInfo[]> {
    await this.preparations.prepareAll();
    return this.ordered.map((serializer) => {
      const { id, priority, description = '' } = serializer;
      const fault = this.preparations.faultOf(serializer);
      const info = { id, priority, description, available: fault === undefined };
      return fault === undefined ? info : { ...info, reason: `${fault.message}. ${fault.remedy}` };
    });
  }

  /**
   * Tells why each serializer, in the order they are tried, is used for a value or is not. The value is not serialized: the one
   * that is chosen may still refuse what is inside. None is chosen for a value that is refused itself, as a function is.
   *
   * @throws `INVALID_ARGUMENT` when the serializer asked for does not exist.
   */
  explain(value: unknown, options: SerializeOptions = {}): SerializerChoice[] {
    if (options.serializer !== undefined) this.named(options.serializer);
    return explainChoice(this.ordered, value, options.serializer, ({ id }) =>
      id === 'msgpack' ? refusedKind(value, this.classes) : undefined,
    );
  }

  /**
   * Await it before `values` are serialized; `undefined` means that there is nothing to wait for. It is never
   * rejected; whatever is missing is reported by {@link serialize}.
   */
  prepareToSave(values: Iterable<unknown>): Promise<void> | undefined {
    return this.preparations.prepareFor(values);
  }

  /** As {@link prepareToSave}, before an artifact is deserialized. */
  prepareToLoad(encoding: ArtifactEncoding): Promise<void> | undefined {
    const serializer = this.byId.get(encoding.encoding);
    return serializer && this.preparations.prepare(serializer);
  }

  /**
   * A value as bytes. The value is not changed.
   *
   * @throws `UNSERIALIZABLE_ARTIFACT` naming the path inside the value and what to do; `INVALID_ARGUMENT` when the serializer
   * asked for does not exist.
   */
  serialize(artifactName: string, value: unknown, options: SerializeOptions = {}): SerializedArtifact {
    let refs: Map<string, ContentRef> | undefined;
    const context: SerializeContext = {
      artifactName,
      addRef(given) {
        const ref = checkContentRef(given);
        refs ??= new Map();
        refs.set(refId(ref), ref);
      },
    };
    try {
      const serializer = this.choose(value, options.serializer, artifactName);
      const fault = this.faultOf(serializer);
      if (fault !== undefined) throw notUsable(serializer.id, fault);
      const serialized = serializer.serialize(value, context);
      return { encoding: serializer.id, ...serialized, refs: refs === undefined ? [] : [...refs.values()] };
    } catch (fault) {
      if (isStowageError(fault, 'UNSERIALIZABLE_ARTIFACT', 'INVALID_ARGUMENT')) throw fault;
      throw unserializable(artifactName, artifactName, fault);
    }
  }

  /**
   * The value that `bytes` are. They must not change afterwards: the value may share their memory.
   *
   * @throws `UNDECODABLE_ARTIFACT` for bytes that are not such a value; `UNKNOWN_ENCODING` when a serializer, a class or a
   * library is missing here.
   * @param reference - makes the references that the value holds
   */
  deserialize(
    artifactName: string,
    encoding: ArtifactEncoding,
    bytes: Uint8Array,
    reference?: ReferenceReader,
  ): unknown {
    const serializer = this.known(artifactName, encoding);
    const missing = this.faultOf(serializer);
    if (missing !== undefined) throw unusableEncoding(artifactName, serializer.id, missing);
    try {
      return serializer.deserialize(bytes, encoding.info, encoding.type, { artifactName, reference });
    } catch (fault) {
      if (isStowageError(fault, 'UNDECODABLE_ARTIFACT', 'UNKNOWN_ENCODING')) throw fault;
      throw undecodable(artifactName, fault);
    }
  }

  /**
   * Checks that the serializer that wrote an artifact is registered.
   *
   * @internal
   * @throws `UNKNOWN_ENCODING`
   */
  checkKnown(artifactName: string, encoding: ArtifactEncoding): void {
    this.known(artifactName, encoding);
  }

  private known(artifactName: string, { encoding }: ArtifactEncoding): Serializer {
    const serializer = this.byId.get(encoding);
    if (serializer === undefined) throw unknownEncoding(artifactName, encoding, [...this.byId.keys()]);
    return serializer;
  }

  private choose(value: unknown, id: string | undefined, artifactName: string): Serializer {
    if (id === undefined) return this.ordered.find((candidate) => candidate.accepts(value)) as Serializer;
    const serializer = this.named(id, artifactName);
    if (!serializer.accepts(value)) throw notAccepted(serializer);
    return serializer;
  }

  private named(id: string, artifactName?: string): Serializer {
    const serializer = this.byId.get(id);
    if (serializer === undefined) throw noSuchSerializer(id, [...this.byId.keys()], artifactName);
    return serializer;
  }

  private faultOf(serializer: Serializer): Unavailable | undefined {
    return serializer.prepare && this.preparations.faultOf(serializer);
  }
}

function noSuchSerializer(id: string, known: readonly string[], artifactName?: string): StowageError {
  const details = { serializer: id, known };
  return new StowageError(
    'INVALID_ARGUMENT',
    `${artifactName === undefined ? '' : `Artifact "${artifactName}" cannot be saved: `}there is no serializer "${id}"; there are ${known.join(', ')}. Register it first, or leave the choice open.`,
    { details: artifactName === undefined ? details : { artifact: artifactName, ...details } },
  );
}

function notAccepted({ id, description }: Serializer): Refusal {
  return new Refusal(
    `nothing that the serializer "${id}" accepts${description === undefined ? '' : ` (it is for ${description})`}`,
    'Leave the choice of a serializer open, or convert the value.',
  );
}

function notUsable(id: string, { message, remedy, cause }: Unavailable): Refusal {
  return new Refusal(`for the serializer "${id}", which cannot be used here: ${message}`, remedy, cause);
}

function unusableEncoding(artifactName: string, id: string, fault: Unavailable): StowageError {
  return new StowageError(
    'UNKNOWN_ENCODING',
    `Artifact "${artifactName}" was written by the serializer "${id}", which cannot be used here: ${fault.message}. ${fault.remedy}`,
    { details: { artifact: artifactName, encoding: id, reason: fault.message }, cause: fault.cause },
  );
}

function unknownEncoding(artifactName: string, id: string, known: readonly string[]): StowageError {
  return new StowageError(
    'UNKNOWN_ENCODING',
    `Artifact "${artifactName}" was written by the serializer "${id}", which is not registered here (${known.join(', ')} are): call \`register\` with it before loading the artifact.`,
    { details: { artifact: artifactName, encoding: id, known } },
  );
}

function checkLimit(name: string, value: number, largest: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= largest) return;
  throw invalidArgument(`${name} must be an integer from 1 to ${largest}, not ${value}.`);
}
