import { StowageError } from '../../errors.ts';
import { STORE_RECORD } from '../../format/store-record.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { notListed } from './impossible-listings.ts';

/** The top-level folders of a store, in the order of docs/format.md. */
export const KNOWN_FOLDERS: ReadonlySet<string> = new Set(
  'runs flows partial logs values loose pins beats data manifests packs plain elsewhere erasures gc cache hints names'
    .split(' ')
    .map((folder) => `${folder}/`),
);
/** Partial records of another kind may keep content alive by a later release. */
const PARTIAL = /^partial(?:\/[^/]+){4}\/\d+\.([^/.]+)\.[^/]+\.json$/;
const KNOWN_PARTIAL: readonly string[] = ['metadata', 'trace', 'checkpoint', 'report'];

/**
 * Refuses a store that a newer release wrote: what it keeps alive could not be told. Refuses a storage that does not list what it was just
 * read from: what it leaves out of other listings would be taken for dead.
 *
 * @throws StowageError `UNSUPPORTED_FORMAT`, naming what is not known; `STORAGE_FAILED` for a listing without `stowage.json`
 */
export async function checkKnown(storage: DataStoreStorage, { signal }: CallOptions): Promise<void> {
  let isWhole = false;
  for await (const page of storage.list({ prefix: '', depth: 'one', signal })) {
    isWhole ||= page.objects.some(({ name }) => name === STORE_RECORD);
    for (const folder of page.folders)
      if (!KNOWN_FOLDERS.has(folder)) throw unknown(storage.uri(`${folder}x`).slice(0, -1));
  }
  if (!isWhole) throw notListed(storage.uri(STORE_RECORD));
  for await (const page of storage.list({ prefix: 'partial/', signal })) {
    for (const { name } of page.objects) {
      const [, kind] = PARTIAL.exec(name) ?? [];
      if (kind !== undefined && !KNOWN_PARTIAL.includes(kind)) throw unknown(storage.uri(name));
    }
  }
}

function unknown(what: string): StowageError {
  return new StowageError(
    'UNSUPPORTED_FORMAT',
    `${what} is nothing that this version of Stowage knows, and may keep content alive. Nothing is collected; upgrade Stowage, or move it away if it is no part of the store.`,
    { details: { what } },
  );
}
