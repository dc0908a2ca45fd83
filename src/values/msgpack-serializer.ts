import type { JsonValue } from '../format/json-value.ts';
import { errorClassOf } from './built-in-kind.ts';
import type { ClassTransformers } from './class-transformers.ts';
import type { ValueLimits } from './extensions.ts';
import { classNameOf } from './intrinsics.ts';
import { isReference, REFERENCE } from './reference.ts';
import type { Serializer } from './serializer.ts';
import { decodeValue } from './value-decoder.ts';
import { ValueEncoder } from './value-encoder.ts';

/** Every other value, as MessagePack in the dialect of {@link EXTENSION}. */
export function msgpackSerializer(classes: ClassTransformers, limits: ValueLimits): Serializer {
  // More than one is at work only while a class transformer saves an artifact of its own.
  const idle: ValueEncoder[] = [];
  return {
    id: 'msgpack',
    priority: 0,
    description: 'every other value, as MessagePack',
    accepts: () => true,
    serialize(value, context) {
      const encoder = idle.pop() ?? new ValueEncoder(classes, limits);
      try {
        const { bytes, jsonExact } = encoder.encode(value, context);
        const type = typeOf(value, classes);
        return jsonExact ? { type, bytes, json: { value: value as JsonValue } } : { type, bytes };
      } finally {
        idle.push(encoder);
      }
    },
    deserialize(bytes, _info, _type, context) {
      return decodeValue(bytes, classes, limits, context);
    },
  };
}

/** The name that people have for a saved value. */
function typeOf(value: unknown, classes: ClassTransformers): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  if (Array.isArray(value)) return 'array';
  if (isReference(value)) return value[REFERENCE]().type;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return 'object';
  const name =
    classes.ofPrototype(prototype)?.name ?? classNameOf(prototype) ?? errorClassOf(prototype) ?? 'object';
  if (name === 'Buffer') return 'Uint8Array';
  return name === 'Object' ? 'object' : name;
}
