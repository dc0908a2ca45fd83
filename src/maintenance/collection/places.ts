import { fileURLToPath } from 'node:url';
import type { ContentStore } from '../../content/content-store.ts';
import type { ContentReader } from '../../content/reading/content-reader.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import { HERE } from '../../format/content-ref.ts';
import { decodePlaceOwner, MAX_PLACE_RECORD_BYTES, OWNER_NAME } from '../../format/place-records.ts';
import { folderUri, rootOf } from '../../storage/canonical-address.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** A place whose content is collected: the store itself, or another one that is marked as this store's. */
export interface CollectedPlace {
  readonly id: string;
  readonly storage: DataStoreStorage;
  readonly reader: ContentReader;
}

/** A place where nothing is deleted, and why. */
export interface SkippedPlace {
  readonly id: string;
  readonly uri: string | undefined;
  readonly error: StowageError;
}

/** The places of a store, by what may be done there. */
export interface CollectedPlaces {
  readonly places: ReadonlyMap<string, CollectedPlace>;
  readonly skipped: readonly SkippedPlace[];
}

/**
 * Opens all places of a store. Where `owner.json` names another store, by id or by address, nothing is deleted: the store may have been
 * copied by other means than `copy`, and the place still be that of the other one.
 *
 * @param adopted ids of places that are this store's whatever address `owner.json` names
 */
export async function openPlaces(
  content: ContentStore,
  adopted: readonly string[],
  options: CallOptions,
): Promise<CollectedPlaces> {
  const { storage, reader } = content;
  const places = new Map<string, CollectedPlace>([[HERE, { id: HERE, storage, reader }]]);
  const skipped: SkippedPlace[] = [];
  for (const { id, uri, problem } of await content.otherPlaces.list(options)) {
    try {
      if (problem) throw problem;
      const place = await content.at(id, options);
      await checkOwner(content, place, adopted.includes(id), options);
      places.set(id, place);
    } catch (error) {
      if (!isStowageError(error) || error.code === 'ABORTED') throw error;
      skipped.push({ id, uri, error });
    }
  }
  return { places, skipped };
}

async function checkOwner(
  content: ContentStore,
  { id, storage }: CollectedPlace,
  isAdopted: boolean,
  { signal }: CallOptions,
): Promise<void> {
  const what = storage.uri(OWNER_NAME);
  const object = await storage.get(OWNER_NAME, { signal, maxBytes: MAX_PLACE_RECORD_BYTES });
  if (!object) throw notOurs(what, 'is missing');
  const owner = decodePlaceOwner(object.body, what);
  if (owner.storeId !== (await content.storeId({ signal })) || owner.place !== id) {
    throw notOurs(what, `names another store, ${owner.storeUri}`);
  }
  if (isAdopted || isSameAddress(owner.storeUri, content.storage)) return;
  throw notOurs(what, `says that the store lies at ${owner.storeUri}`);
}

/** A folder is the same by whatever links it is reached. */
function isSameAddress(uri: string, home: DataStoreStorage): boolean {
  const root = rootOf(home);
  const isFolder = uri.startsWith('file://') && root.startsWith('file://');
  return uri === root || (isFolder && folderUri(fileURLToPath(uri)) === folderUri(fileURLToPath(root)));
}

function notOurs(what: string, why: string): StowageError {
  return new StowageError('PLACE_NOT_OURS', `${what} ${why}; nothing is deleted there.`, {
    details: { what },
  });
}
