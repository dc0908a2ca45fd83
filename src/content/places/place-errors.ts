import { invalidArgument, isStowageError, messageOf, StowageError } from '../../errors.ts';

/** The error for a record that names a place which the store does not know. */
export function unknownPlace(place: string, storeUri: string): StowageError {
  return new StowageError(
    'PLACE_NOT_FOUND',
    `Content lies at a place ${JSON.stringify(place)} that the store ${storeUri} does not know: elsewhere/${place}.json is missing. Restore it from a copy of the store, or read the store that the content was copied from.`,
    { details: { place } },
  );
}

/** The error for a place that holds nothing of this store: it was moved, emptied, or is not mounted. */
export function unmarkedPlace(place: string, placeUri: string): StowageError {
  return new StowageError(
    'PLACE_NOT_FOUND',
    `${placeUri}, where content of the store lies (rawDataPath), holds nothing of this store: it was moved or emptied, or is not mounted here. Make it available again at that address, or open the store with openPlace that finds it where it is now.`,
    { details: { place, placeUri } },
  );
}

/** The error for a place whose storage cannot be opened. */
export function unreachablePlace(place: string | undefined, placeUri: string, cause: unknown): StowageError {
  const why = messageOf(cause);
  return new StowageError(
    'PLACE_UNREACHABLE',
    `${placeUri}, where content of the store lies (rawDataPath), cannot be opened: ${why} Where it needs options, such as credentials, open the store with openPlace.`,
    { details: { ...(isStowageError(cause) ? cause.details : {}), place, placeUri }, cause },
  );
}

/** The error for an address of a record that is not opened with what the environment holds. */
export function untrustedPlace(place: string | undefined, placeUri: string): StowageError {
  return new StowageError(
    'PLACE_NOT_TRUSTED',
    `A record of the store says that content lies at ${placeUri}, or is to go there (rawDataPath). It is not opened: whoever wrote the store chose that address, which leads neither to AWS, Azure or Google themselves, nor to the endpoint that the environment configures or that of the store, nor, for a store in a folder, to another folder; credentials could reach anybody there. If you trust it, open the store with openPlace, or with that address as its rawDataPath, or configure its endpoint (AWS_ENDPOINT_URL_S3, AZURE_STORAGE_CONNECTION_STRING, STORAGE_EMULATOR_HOST).`,
    { details: { ...(place !== undefined && { place }), placeUri } },
  );
}

/** The error for a place where another store's content lies under this store's name. */
export function strayPlace(place: string, placeUri: string, storeUri: string): StowageError {
  return new StowageError(
    'PLACE_NOT_OURS',
    `What lies at ${placeUri} under this store's name is marked as that of another one, ${storeUri}. Choose another rawDataPath, and see who wrote there.`,
    { details: { place, placeUri, storeUri } },
  );
}

/** The error for an address that leads into the store itself. */
export function withinStore(rawDataPath: string, storeUri: string): StowageError {
  return invalidArgument(
    `rawDataPath ${rawDataPath} lies within the store ${storeUri}; choose a place beside it, or leave it out to keep content in the store.`,
    { rawDataPath },
  );
}
