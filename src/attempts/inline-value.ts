import { jsonText, KeptJson } from '../codec/json-text.ts';
import type { InlineValue } from '../format/description.ts';
import type { JsonValue } from '../format/json-value.ts';
import type { SerializedArtifact } from '../values/serializer.ts';

/** Deeper JSON is not kept as JSON: a record's depth is bounded (`MAX_RECORD_DEPTH`), that of values is not. */
const MAX_JSON_DEPTH = 512;

/**
 * A serialized value as it stands in the artifact table: readable JSON where JSON carries it exactly, else base64. It is made text at
 * once, since the value may change until the table is written.
 */
export function toInline(serialized: SerializedArtifact): InlineValue {
  const json = serialized.json?.value as JsonValue | undefined;
  // A level takes a byte of MessagePack at least: what is shorter is not deeper.
  const isShort = serialized.encoding === 'msgpack' && serialized.bytes.length <= MAX_JSON_DEPTH;
  if (json !== undefined && (isShort || !isDeeper(json, MAX_JSON_DEPTH))) return new KeptJson(jsonText(json));
  const { buffer, byteOffset, length } = serialized.bytes;
  return { base64: Buffer.from(buffer, byteOffset, length).toString('base64') };
}

/** Serialized values up to so many bytes are inline, by default. */
export const DEFAULT_MAX_INLINE_BYTES: number = 16 * 1024;
/** All inline values of an attempt together stay below this. */
export const MAX_INLINE_TOTAL_BYTES: number = 512 * 1024;

/** The bytes of an attempt's inline values: of those that are named, and of those that are being saved beside. */
export class InlineBudget {
  readonly #maxValueBytes: number;
  #bytes = 0;

  /** @param maxValueBytes - what is larger is kept inline only where a caller asks for it. */
  constructor(maxValueBytes: number) {
    this.#maxValueBytes = maxValueBytes;
  }

  /** Tells a value that is kept inline. It takes the place of one of `replacedBytes`, which counts already. */
  admits(bytes: number, inline: boolean | undefined, replacedBytes: number): boolean {
    if (inline === false || (!inline && bytes > this.#maxValueBytes)) return false;
    return this.#bytes + bytes - replacedBytes <= MAX_INLINE_TOTAL_BYTES;
  }

  /** Counts bytes, or gives them back where they are negative. */
  take(bytes: number): void {
    this.#bytes += bytes;
  }
}

/** A copy of a JSON value that a record holds, or may hold, so that neither side sees the other's changes. */
export function cloneJson(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(cloneJson);
  // Spread copies many members at once; only what is inside of them is left to copy.
  const copy: { [name: string]: JsonValue } = { ...value };
  for (const name of Object.keys(copy)) {
    const member = copy[name] as JsonValue;
    if (typeof member === 'object' && member !== null) copy[name] = cloneJson(member);
  }
  return copy;
}

/** Finds arrays and objects nested deeper than so many levels. */
function isDeeper(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const inner of isList(value) ? value : Object.values(value))
    if (isDeeper(inner, levels - 1)) return true;
  return false;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
