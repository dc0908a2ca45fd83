import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { type EntryKey, entryName, keyPrefix, parseLeaseName } from './cache-names.ts';

/** What one LIST shows of a key: its entry, and its leases. */
export interface LeaseListing {
  hasEntry: boolean;
  /** The highest token there is, 0 without one. */
  highest: number;
  /** Whether the lease with that token has ended. */
  released: boolean;
  /** The objects of leases, by their tokens. */
  leaseNames: Map<number, string[]>;
}

/** One LIST: what there is of a key. */
export async function listLeases(
  storage: DataStoreStorage,
  key: EntryKey,
  { signal }: CallOptions,
): Promise<LeaseListing> {
  const listing: LeaseListing = { hasEntry: false, highest: 0, released: true, leaseNames: new Map() };
  for await (const page of storage.list({ prefix: keyPrefix(key), signal })) {
    for (const { name } of page.objects) {
      if (name === entryName(key)) listing.hasEntry = true;
      const lease = parseLeaseName(name);
      if (!lease) continue;
      const { token, kind } = lease;
      listing.leaseNames.set(token, [...(listing.leaseNames.get(token) ?? []), name]);
      if (token > listing.highest) Object.assign(listing, { highest: token, released: false });
      if (token === listing.highest && kind === 'released') listing.released = true;
    }
  }
  return listing;
}

/** The objects of leases whose token is below `token`. */
export function namesBelow({ leaseNames }: LeaseListing, token: number): string[] {
  return [...leaseNames].flatMap(([other, names]) => (other < token ? names : []));
}
