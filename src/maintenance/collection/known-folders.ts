import { StowageError } from '../../errors.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** The top-level folders of a store, in the order of docs/format.md. */
const KNOWN: ReadonlySet<string> = new Set(
  'runs flows partial logs values loose pins beats data manifests packs plain elsewhere gc cache hints names'
    .split(' ')
    .map((folder) => `${folder}/`),
);
/** Records whose content a later release keeps alive. */
const LATER = /^partial(?:\/[^/]+){4}\/\d+\.(?:trace|checkpoint)\.[^/]+\.json$/;

/**
 * Refuses a store that a newer release wrote: what it keeps alive could not be told.
 *
 * @throws StowageError `UNSUPPORTED_FORMAT`, naming what is not known
 */
export async function checkKnown(storage: DataStoreStorage, { signal }: CallOptions): Promise<void> {
  for await (const page of storage.list({ prefix: '', depth: 'one', signal })) {
    for (const folder of page.folders)
      if (!KNOWN.has(folder)) throw unknown(storage.uri(`${folder}x`).slice(0, -1));
  }
  for await (const page of storage.list({ prefix: 'partial/', signal })) {
    for (const { name } of page.objects) if (LATER.test(name)) throw unknown(storage.uri(name));
  }
}

function unknown(what: string): StowageError {
  return new StowageError(
    'UNSUPPORTED_FORMAT',
    `${what} is nothing that this version of Stowage knows, and may keep content alive. Nothing is collected; upgrade Stowage, or move it away if it is no part of the store.`,
    { details: { what } },
  );
}
