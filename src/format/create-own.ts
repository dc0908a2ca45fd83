import { StowageError } from '../errors.ts';
import type { CreateOptions, DataStoreStorage } from '../storage/contract.ts';

/**
 * Creates an object under a name that only this session uses. "It exists" can then only be the echo of a lost response,
 * and counts as success if the bytes are equal.
 *
 * @throws StowageError `STORAGE_FAILED` where somebody else's object has the name.
 */
export async function createOwn(
  storage: DataStoreStorage,
  name: string,
  body: Uint8Array,
  options: CreateOptions = {},
): Promise<void> {
  if (await storage.create(name, body, options)) return;
  if (!(await holdsBytes(storage, name, body, options.signal))) throw nameTaken(storage, name);
}

/** Like {@link createOwn}, but `false` where somebody else's object has the name. */
export async function tryCreateOwn(
  storage: DataStoreStorage,
  name: string,
  body: Uint8Array,
  options: CreateOptions = {},
): Promise<boolean> {
  return (
    (await storage.create(name, body, options)) || (await holdsBytes(storage, name, body, options.signal))
  );
}

/** Somebody else's object has the name of one of a session. */
export function nameTaken(storage: DataStoreStorage, name: string): StowageError {
  return new StowageError(
    'STORAGE_FAILED',
    `${storage.uri(name)} already exists with other content, though only this session writes it; check that no other program writes into the store's folders.`,
    { details: { name } },
  );
}

/** True if the object `name` exists and has exactly these bytes. */
export async function holdsBytes(
  storage: DataStoreStorage,
  name: string,
  body: Uint8Array,
  signal?: AbortSignal,
): Promise<boolean> {
  const found = await storage.get(name, { signal, range: { offset: 0, length: body.length + 1 } });
  return found !== undefined && found.bytes === body.length && Buffer.compare(found.body, body) === 0;
}
