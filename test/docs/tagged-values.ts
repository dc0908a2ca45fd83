import { CACHE_DIGEST } from '../../src/values/cache-digest.ts';
import { Vector } from '../values/arbitrary-value.ts';

/**
 * A value as `docs/format-vectors/values.json` and `docs/format-reader.py` write it: plain JSON, and objects with a key `$`
 * for what JSON has no word for.
 */
export type Tagged =
  | null
  | boolean
  | number
  | string
  | readonly Tagged[]
  | { readonly [key: string]: Tagged };

type Tag = { readonly [key: string]: Tagged };

/** The value that `tagged` stands for. */
export function fromTagged(tagged: Tagged): unknown {
  if (typeof tagged !== 'object' || tagged === null) return tagged;
  if (isList(tagged)) return listOf(tagged);
  return '$' in tagged ? instanceOf(tagged) : objectOf(tagged, {});
}

function isList(tagged: Tagged): tagged is readonly Tagged[] {
  return Array.isArray(tagged);
}

function listOf(items: readonly Tagged[]): unknown[] {
  const list: unknown[] = new Array(items.length);
  items.forEach((item, index) => {
    if ((item as Tag | null)?.$ !== 'hole') list[index] = fromTagged(item);
  });
  return list;
}

function objectOf(tagged: Tag, object: Record<string, unknown>): Record<string, unknown> {
  for (const key of Object.keys(tagged)) object[key] = fromTagged(tagged[key] as Tagged);
  return object;
}

function instanceOf(tag: Tag): unknown {
  const text = (key: string): string => tag[key] as string;
  const items = (key: string): unknown[] => fromTagged(tag[key] as Tagged) as unknown[];
  switch (tag.$) {
    case 'undefined':
      return undefined;
    case 'number':
      return Number(tag.value);
    case 'bigint':
      return BigInt(text('value'));
    case 'Date':
      return new Date(Number(tag.ms));
    case 'RegExp':
      return Object.assign(new RegExp(text('source'), text('flags')), { lastIndex: tag.lastIndex });
    case 'URL':
      return new URL(text('href'));
    case 'Map':
      return new Map(items('entries') as [unknown, unknown][]);
    case 'Set':
      return new Set(items('members'));
    case 'Error':
      return errorOf(tag);
    case 'null-prototype':
      return objectOf(tag.value as Tag, Object.create(null));
    case 'cache-digest':
      return { [CACHE_DIGEST]: () => text('digest') };
    case 'utf16':
      return String.fromCharCode(...(tag.units as number[]));
    case 'object':
      return Object.fromEntries(items('entries') as [string, unknown][]);
    case 'class':
      if (tag.name !== 'Vector') throw new Error(`No class ${String(tag.name)}`);
      return new Vector(...(items('value') as [unknown, unknown]));
    default:
      return memoryOf(text('$'), Uint8Array.from(Buffer.from(text('hex'), 'hex')));
  }
}

function errorOf(tag: Tag): Error {
  const Class = (globalThis as unknown as Record<string, ErrorConstructor>)[
    tag.class as string
  ] as ErrorConstructor;
  const error = tag.class === 'AggregateError' ? new AggregateError([]) : new Class();
  for (const key of ['message', 'stack', 'errors']) Reflect.deleteProperty(error, key);
  for (const [key, value] of Object.entries(tag.hidden as Tag)) {
    Object.defineProperty(error, key, { value: fromTagged(value), writable: true, configurable: true });
  }
  return Object.assign(error, objectOf(tag.properties as Tag, {}));
}

function memoryOf(type: string, bytes: Uint8Array<ArrayBuffer>): unknown {
  if (type === 'Uint8Array') return bytes;
  if (type === 'ArrayBuffer') return bytes.buffer;
  const View = (globalThis as unknown as Record<string, new (buffer: ArrayBuffer) => unknown>)[type];
  if (View === undefined) throw new Error(`No ${type} in this runtime`);
  return new View(bytes.buffer);
}
