import { isStowageError, StowageError } from '../../../errors.ts';
import { createOwn, holdsBytes } from '../../../format/create-own.ts';
import type { CallOptions, DataStoreStorage } from '../../../storage/contract.ts';

/** A record as it was found under its name. */
export type FoundRecord<T> =
  | { readonly state: 'whole'; readonly record: T; readonly bytes: Uint8Array }
  | { readonly state: 'missing' }
  /** `version` is that of what is there. */
  | { readonly state: 'damaged'; readonly version: string; readonly bytes: Uint8Array; readonly why: string };

/**
 * Reads a record by what decodes it.
 *
 * @throws StowageError `UNSUPPORTED_FORMAT` of one that a newer Stowage wrote; what reading throws
 */
export async function findRecord<T>(
  storage: DataStoreStorage,
  name: string,
  maxBytes: number,
  decode: (bytes: Uint8Array, what: string) => T,
  options: CallOptions,
): Promise<FoundRecord<T>> {
  // What is longer than any record is damaged, and its beginning tells as much as all of it.
  const object = await storage.get(name, { ...options, range: { offset: 0, length: maxBytes } });
  if (!object) return { state: 'missing' };
  const { body: bytes, version } = object;
  try {
    return { state: 'whole', record: decode(bytes, storage.uri(name)), bytes };
  } catch (error) {
    if (!isStowageError(error, 'RECORD_DAMAGED')) throw error;
    return { state: 'damaged', version, bytes, why: error.message };
  }
}

/**
 * Puts a record under its name: creates it where it is missing, and takes the place of a damaged one in one step, so that no crash leaves the
 * name free. Where the storage cannot exchange what it was asked about, the damaged one is deleted first: a crash in between leaves the
 * record missing, and the next repair puts it back.
 *
 * @throws StowageError `STORAGE_FAILED` where something else came to lie there meanwhile
 */
export async function putBack(
  storage: DataStoreStorage,
  name: string,
  body: Uint8Array,
  found: FoundRecord<unknown>,
  options: CallOptions,
): Promise<void> {
  if (found.state === 'damaged' && storage.capabilities.ifMatch) {
    try {
      await storage.overwrite(name, body, { ...options, ifMatch: found.version });
    } catch (error) {
      if (!isStowageError(error, 'PRECONDITION_FAILED')) throw error;
      // Another repair was faster, or a lost answer was one's own.
      if (!(await holdsBytes(storage, name, body, options.signal))) throw changed(storage.uri(name));
    }
    await storage.persist([name], { ...options, durability: 'barrier' });
    return;
  }
  if (found.state === 'damaged') {
    const [failure] = await storage.delete([name], options);
    if (failure) throw failure.error;
  }
  await createOwn(storage, name, body, { ...options, durability: 'barrier' });
}

function changed(uri: string): StowageError {
  return new StowageError(
    'STORAGE_FAILED',
    `${uri} was changed while it was about to be mended. Check the store again.`,
    { details: { uri } },
  );
}
