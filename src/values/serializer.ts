import type { ContentRef } from '../format/content-ref.ts';
import type { JsonValue } from '../format/json-value.ts';
import type { ReferenceReader } from './reference.ts';

/** A value in the form that a {@link Serializer} gives it. */
export interface SerializedValue {
  /** The name that people have for it: `Float64Array`, `string`, `array`, `Map`, the name of a registered class. */
  readonly type: string;
  /**
   * The bytes. They may share memory with the value (byte arrays and typed arrays are not copied), or with other results:
   * use them before the value changes, and never transfer their buffer.
   */
  readonly bytes: Uint8Array;
  /** Width of an element in bytes, for compression by byte groups; absent where bytes are not an array of wider elements. */
  readonly elementBytes?: number;
  /** Data that `deserialize` needs beside `type`; kept in the artifact's record. */
  readonly info?: Record<string, JsonValue>;
  /**
   * The value itself, when plain JSON carries it exactly: `JSON.parse(JSON.stringify(json.value))` equals it. Stringify it
   * before the value changes.
   */
  readonly json?: { readonly value: JsonValue };
}

/** A value as bytes, with all that a record needs to bring it back. */
export interface SerializedArtifact extends SerializedValue {
  /** The id of the serializer that wrote it, and reads it. */
  readonly encoding: string;
  /** Content that references inside the value point at, each once. */
  readonly refs: ContentRef[];
}

/** The encoding of an artifact, as its record says. */
export interface ArtifactEncoding {
  readonly encoding: string;
  readonly type: string;
  readonly info?: Record<string, JsonValue>;
}

/** Gives a serializer what it may know, and takes what it may say, while it works on a value. */
export interface SerializeContext {
  readonly artifactName: string;
  /**
   * Records content that the value points at, so that it lives as long as the artifact. It must lie in the store when the artifact
   * is saved, which is `CONTENT_NOT_FOUND` else.
   *
   * @throws StowageError `INVALID_ARGUMENT` for what names no content
   */
  addRef(ref: ContentRef): void;
}

/** Gives a serializer what it may know while it reads bytes. */
export interface DeserializeContext {
  readonly artifactName: string;
  /** Makes the references that the value holds. Absent where no store is at hand: a value that holds any is `UNKNOWN_ENCODING` then. */
  readonly reference?: ReferenceReader | undefined;
}

/**
 * Turns some values into bytes and back. Register one with {@link SerializerRegistry.register}.
 *
 * Promises: equal values give equal bytes, or they are not stored once; the value is not changed; and `deserialize` is safe
 * against any bytes. Whatever either function throws reaches the user as `UNSERIALIZABLE_ARTIFACT` or
 * `UNDECODABLE_ARTIFACT` with the original as its cause.
 */
export interface Serializer {
  /** Written to every artifact's record; never change what an id means. */
  readonly id: string;
  /** The highest priority that accepts a value serializes it. The built-ins have 400, 300, 200, 100 and 0. */
  readonly priority: number;
  /** Its values, in a few words for people: `Apache Arrow tables, as an IPC stream`. */
  readonly description?: string;
  /** Asked of any value there is, possibly twice: quick, and without running code of the value's. */
  accepts(value: unknown): boolean;
  /**
   * Makes ready what the others need: imports a library, say. Called before they are, when a value is accepted or about to be
   * loaded, until it was fulfilled once. Where it is rejected, the artifact is `UNSERIALIZABLE_ARTIFACT` or
   * `UNKNOWN_ENCODING`, with the reason.
   */
  prepare?(): Promise<void>;
  /** The bytes of a value that it accepts, which is not changed. */
  serialize(value: unknown, context: SerializeContext): SerializedValue;
  /** `bytes` may be kept and shared by the result: no one else changes them. */
  deserialize(
    bytes: Uint8Array,
    info: Record<string, JsonValue> | undefined,
    type: string,
    context: DeserializeContext,
  ): unknown;
}

/** Tells why a serializer is used for a value, or is not. */
export interface SerializerChoice {
  id: string;
  priority: number;
  /** True for the one that serializes the value. */
  chosen: boolean;
  /** A sentence for people. */
  reason: string;
}

/** A serializer as people see it. */
export interface SerializerInfo {
  id: string;
  priority: number;
  /** Its values, in a few words; empty if it does not say. */
  description: string;
  /** True if it can work here. */
  available: boolean;
  /** Tells what is missing, and what to do. Absent if it is available. */
  reason?: string;
}
