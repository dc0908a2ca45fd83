import type { SerializedArtifact } from '../artifacts/serializer.ts';
import type { JsonValue } from '../codec/json-value.ts';
import type { InlineValue } from '../content/description.ts';
import { StowageError } from '../errors.ts';

/** A serialized value as it stands in the artifact table: readable JSON where JSON carries it exactly, else base64. */
export function toInline(serialized: SerializedArtifact): InlineValue {
  if (serialized.json) return { json: cloneJson(serialized.json.value as JsonValue) };
  const { buffer, byteOffset, length } = serialized.bytes;
  return { base64: Buffer.from(buffer, byteOffset, length).toString('base64') };
}

/** Deeper JSON than this is not copied: values are saved with 512 levels at most, and metadata with fewer. */
const MAX_JSON_DEPTH = 1000;

/**
 * A copy of a JSON value, so that neither side sees the other's changes.
 *
 * @throws StowageError `RECORD_DAMAGED` for JSON deeper than anything that is written.
 */
export function cloneJson(value: JsonValue, depth = 0): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_JSON_DEPTH) throw tooDeep();
  if (isList(value)) return value.map((item) => cloneJson(item, depth + 1));
  // Spread copies many members at once; only what is inside of them is left to copy.
  const copy: { [name: string]: JsonValue } = { ...value };
  for (const name of Object.keys(copy)) {
    const member = copy[name] as JsonValue;
    if (typeof member === 'object' && member !== null) copy[name] = cloneJson(member, depth + 1);
  }
  return copy;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function tooDeep(): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `A record holds JSON of more than ${MAX_JSON_DEPTH} levels, which nothing writes; restore it from a copy of the store.`,
  );
}
