import { isStowageError } from '../errors.ts';
import { type EntryKey, entryName, keyPrefix, leaseName, parseLeaseName } from '../format/cache-names.ts';
import { decodeLease, type LeaseRecord, MAX_LEASE_BYTES } from '../format/lease-record.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** The entry and the leases of a key, as one LIST shows them. */
export interface LeaseListing {
  hasEntry: boolean;
  /** The highest token there is, 0 without one. */
  highest: number;
  /** True if the lease with that token has ended. */
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

/** The tokens below `token` whose leases nobody ended: their owners died, or are late. */
export function unendedBelow({ leaseNames }: LeaseListing, token: number): number[] {
  return [...leaseNames].flatMap(([other, names]) =>
    other < token && !names.some((name) => parseLeaseName(name)?.kind === 'released') ? [other] : [],
  );
}

/** One GET: somebody's lease; `undefined` where it is gone, or cannot be read. */
export async function readLease(
  storage: DataStoreStorage,
  key: EntryKey,
  token: number,
  { signal }: CallOptions,
): Promise<LeaseRecord | undefined> {
  const name = leaseName(key, token);
  try {
    const object = await storage.get(name, { signal, maxBytes: MAX_LEASE_BYTES });
    return object && decodeLease(object.body, { key, token }, storage.uri(name));
  } catch (error) {
    if (isStowageError(error, 'RECORD_DAMAGED', 'UNSUPPORTED_FORMAT', 'OBJECT_TOO_LARGE')) return undefined;
    throw error;
  }
}
