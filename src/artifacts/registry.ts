import type { ContentRef } from '../content/content-ref.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { bytesSerializer } from './bytes-serializer.ts';
import { type ClassTransformer, ClassTransformers } from './class-transformers.ts';
import { DEFAULT_LIMITS, type ValueLimits } from './extensions.ts';
import { Refusal, undecodable, unserializable } from './faults.ts';
import { msgpackSerializer } from './msgpack-serializer.ts';
import type { ArtifactEncoding, SerializeContext, SerializedArtifact, Serializer } from './serializer.ts';
import { stringSerializer } from './string-serializer.ts';
import { typedArraySerializer } from './typed-array-serializer.ts';

const LARGEST_MAX_BYTES = 2 ** 32 - 1;
const LARGEST_MAX_DEPTH = 2 ** 16;

/** Settings of a {@link SerializerRegistry}. */
export interface SerializerRegistryOptions extends Partial<ValueLimits> {}

/**
 * Values to bytes and back: tries its serializers by priority, or uses the one that is asked for.
 *
 * A new registry has `bytes`, `typed-array`, `string`, and `msgpack` for everything else.
 */
export class SerializerRegistry {
  private readonly classes = new ClassTransformers();
  private readonly byId = new Map<string, Serializer>();
  private ordered: readonly Serializer[] = [];

  constructor(options: SerializerRegistryOptions = {}) {
    const limits = { ...DEFAULT_LIMITS, ...options };
    checkLimit('maxBytes', limits.maxBytes, LARGEST_MAX_BYTES);
    checkLimit('maxDepth', limits.maxDepth, LARGEST_MAX_DEPTH);
    this.register(bytesSerializer);
    this.register(typedArraySerializer);
    this.register(stringSerializer);
    this.register(msgpackSerializer(this.classes, limits));
  }

  /** Adds a serializer; among equal priorities the one registered first is tried first. `INVALID_ARGUMENT` if its id is taken. */
  register(serializer: Serializer): void {
    if (serializer.id === '' || this.byId.has(serializer.id)) {
      throw new StowageError(
        'INVALID_ARGUMENT',
        `A serializer cannot be registered as "${serializer.id}": an id must not be empty, nor taken.`,
        { details: { serializer: serializer.id } },
      );
    }
    this.byId.set(serializer.id, serializer);
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

  /**
   * A value as bytes. The value is not changed.
   *
   * @throws `UNSERIALIZABLE_ARTIFACT` naming the path inside the value and what to do; `INVALID_ARGUMENT` when the serializer
   * asked for does not exist.
   */
  serialize(
    artifactName: string,
    value: unknown,
    options: { readonly serializer?: string } = {},
  ): SerializedArtifact {
    let refs: Map<string, ContentRef> | undefined;
    const context: SerializeContext = {
      artifactName,
      addRef({ place, kind, name }) {
        refs ??= new Map();
        refs.set(JSON.stringify([place, kind, name]), { place, kind, name });
      },
    };
    try {
      const serializer = this.choose(value, options.serializer);
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
   * @throws `UNDECODABLE_ARTIFACT` for bytes that are not such a value; `UNKNOWN_ENCODING` when a serializer or class must be
   * registered first.
   */
  deserialize(artifactName: string, encoding: ArtifactEncoding, bytes: Uint8Array): unknown {
    const serializer = this.byId.get(encoding.encoding);
    if (serializer === undefined)
      throw unknownEncoding(artifactName, encoding.encoding, [...this.byId.keys()]);
    try {
      return serializer.deserialize(bytes, encoding.info, encoding.type, { artifactName });
    } catch (fault) {
      if (isStowageError(fault, 'UNDECODABLE_ARTIFACT', 'UNKNOWN_ENCODING')) throw fault;
      throw undecodable(artifactName, fault);
    }
  }

  private choose(value: unknown, id: string | undefined): Serializer {
    if (id === undefined) return this.ordered.find((candidate) => candidate.accepts(value)) as Serializer;
    const serializer = this.byId.get(id);
    if (serializer === undefined) {
      throw new StowageError(
        'INVALID_ARGUMENT',
        `There is no serializer "${id}"; there are ${[...this.byId.keys()].join(', ')}. Register it first.`,
        { details: { serializer: id } },
      );
    }
    if (!serializer.accepts(value)) throw notAccepted(id);
    return serializer;
  }
}

function notAccepted(id: string): Refusal {
  return new Refusal(
    `nothing that the serializer "${id}" accepts`,
    'Leave the choice of a serializer open, or convert the value.',
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
  throw new StowageError(
    'INVALID_ARGUMENT',
    `${name} must be an integer from 1 to ${largest}, not ${value}.`,
  );
}
