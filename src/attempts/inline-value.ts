import type { SerializedArtifact } from '../artifacts/serializer.ts';
import type { JsonValue } from '../codec/json-value.ts';
import type { InlineValue } from '../content/description.ts';

/** A serialized value as it stands in the artifact table: readable JSON where JSON carries it exactly, else base64. */
export function toInline(serialized: SerializedArtifact): InlineValue {
  if (serialized.json) return { json: cloneJson(serialized.json.value as JsonValue) };
  const { buffer, byteOffset, length } = serialized.bytes;
  return { base64: Buffer.from(buffer, byteOffset, length).toString('base64') };
}

/** A copy of a JSON value, so that neither side sees the other's changes. */
export function cloneJson(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(cloneJson);
  const copy: { [name: string]: JsonValue } = {};
  for (const name of Object.keys(value)) copy[name] = cloneJson(value[name] as JsonValue);
  return copy;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
