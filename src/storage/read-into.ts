import type { DataStoreStorage, FilledObject, GetOptions, ReadTarget, TransferOptions } from './contract.ts';

/** Reads a part of an object into memory: by the storage's own `getInto`, else by `get` and a copy. */
export async function readInto(
  storage: DataStoreStorage,
  name: string,
  target: ReadTarget,
  options: TransferOptions,
): Promise<FilledObject | undefined> {
  if (storage.getInto) return storage.getInto(name, target, options);
  const { offset, into } = target;
  const object = await storage.get(name, { ...options, ...rangeOf(offset, into) });
  if (!object) return undefined;
  const { body, ...info } = object;
  return { ...info, filled: scatter(body, into) };
}

/** The options of a `get` of what fits into the memory, whose size the caller chose. */
export function rangeOf(offset: number, into: readonly Uint8Array[]): GetOptions {
  return { range: { offset, length: lengthOf(into) }, maxBytes: Number.POSITIVE_INFINITY };
}

/** The bytes that all of these hold together. */
export function lengthOf(into: readonly Uint8Array[]): number {
  return into.reduce((length, piece) => length + piece.length, 0);
}

/** Copies bytes into pieces of memory, one after the other. Returns how many found room. */
export function scatter(bytes: Uint8Array, into: readonly Uint8Array[]): number {
  let at = 0;
  for (const piece of into) {
    const part = bytes.subarray(at, at + piece.length);
    piece.set(part);
    at += part.length;
    if (part.length < piece.length) break;
  }
  return at;
}
