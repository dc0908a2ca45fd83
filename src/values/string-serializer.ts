import { Buffer } from 'node:buffer';
import type { Serializer } from './serializer.ts';
import { readUtf8 } from './utf8-reader.ts';

/** Strings, as UTF-8. One with a lone surrogate has no UTF-8, and goes on to MessagePack. */
export const stringSerializer: Serializer = {
  id: 'string',
  priority: 200,
  description: 'text, as UTF-8',
  accepts(value) {
    // ES2024, in every supported runtime.
    return typeof value === 'string' && (value as string & { isWellFormed(): boolean }).isWellFormed();
  },
  serialize(value) {
    const text = value as string;
    return { type: 'string', bytes: Buffer.from(text), json: { value: text } };
  },
  deserialize(bytes) {
    return readUtf8(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length);
  },
};
