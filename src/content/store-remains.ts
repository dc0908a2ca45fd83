import { StowageError } from '../errors.ts';
import { SESSION_PATTERN } from '../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** The folders in which a store keeps runs, attempts and sessions, and the names looked at in each. */
const RECORDS: Readonly<Record<string, RegExp>> = {
  'flows/': /^flows(?:\/[^/]+){4}\/\d+\.attempt\.json$/,
  'loose/': new RegExp(`^loose/${SESSION_PATTERN}\\.attempt\\.json$`),
  'runs/': /^runs(?:\/[^/]+){2}\/created\.json$/,
};
const FOLDERS = Object.keys(RECORDS);
/** A page: further ones of folders that are not a store's are not worth a request each. */
const MOST_NAMES = 1_000;

/**
 * The name of a record that a store left where it has no stowage.json; `undefined` where there never was a store, whatever else lies
 * there. One LIST, and one more for each folder that is called like a store's.
 */
export async function findRemains(
  storage: DataStoreStorage,
  { signal }: CallOptions,
): Promise<string | undefined> {
  for (const prefix of await foldersIn(storage, { signal })) {
    for await (const page of storage.list({ prefix, limit: MOST_NAMES, signal })) {
      const found = page.objects.find(({ name }) => RECORDS[prefix]?.test(name));
      if (found) return found.name;
    }
  }
  return undefined;
}

/** Those of the folders that may be there. */
async function foldersIn(storage: DataStoreStorage, { signal }: CallOptions): Promise<readonly string[]> {
  const found: string[] = [];
  let names = 0;
  for await (const page of storage.list({ prefix: '', depth: 'one', limit: MOST_NAMES, signal })) {
    found.push(...page.folders);
    names += page.folders.length + page.objects.length;
  }
  return names < MOST_NAMES ? FOLDERS.filter((folder) => found.includes(folder)) : FOLDERS;
}

/** @param record what tells that there was a store */
export function identityLost(uri: string, record: string): StowageError {
  return new StowageError(
    'NOT_A_STORE',
    `${uri} is missing, and a store was there: ${record} is left of it. Restore the file from a copy of the store. If there is none, open the store with lostIdentity: the id that it had (owner.json of a rawDataPath tells it), or 'new' for another one, by which content at other places is not found.`,
    { details: { uri, record } },
  );
}
