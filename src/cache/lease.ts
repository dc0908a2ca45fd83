import { Deadline } from '../async/deadline.ts';
import { isStowageError } from '../errors.ts';
import {
  type EntryKey,
  entryName,
  keyPrefix,
  leaseName,
  parseLeaseName,
  releasedName,
} from '../format/cache-names.ts';
import { decodeLease, type LeaseRecord, MAX_LEASE_BYTES } from '../format/lease-record.ts';
import { beatName } from '../format/open-session.ts';
import type { SessionId } from '../format/session-id.ts';
import { Heartbeat } from '../sessions/heartbeat.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { reportTaskCacheFailure } from './task-cache-failures.ts';

/** So many beats fit into the time after which an owner counts as dead. */
const BEATS_PER_LEASE = 4;
/** So many leases that nobody ended are looked at. */
const MAX_UNENDED = 16;

/** The parts of a lease that is held. */
export interface HeldLease {
  key: EntryKey;
  token: number;
  session: SessionId;
  leaseMs: number;
  /** Objects of earlier leases, which go when this one ends. */
  earlier: readonly string[];
  /** The tokens of those that nobody ended. */
  unended: readonly number[];
}

/**
 * The right to run the task of a key, until it is released, or its owner is silent for `leaseMs`. It says so while it is held by
 * overwriting `beats/<session>`. Holding one is no proof: what counts is that an entry stored with its token replaces none that
 * carries a higher one.
 */
export class Lease implements AsyncDisposable {
  readonly key: EntryKey;
  /** Grows with every lease of the key, and is never given twice. */
  readonly token: number;
  readonly #storage: DataStoreStorage;
  readonly #heartbeat: Heartbeat;
  readonly #earlier: readonly string[];
  readonly #unended: readonly number[];
  readonly #releaseTimeoutMs: number;
  #releasing: Promise<void> | undefined;

  /** @internal */
  constructor(storage: DataStoreStorage, held: HeldLease, releaseTimeoutMs: number) {
    this.key = held.key;
    this.token = held.token;
    this.#storage = storage;
    this.#earlier = held.earlier;
    this.#unended = held.unended;
    this.#releaseTimeoutMs = releaseTimeoutMs;
    this.#heartbeat = new Heartbeat(storage, held.session, Math.ceil(held.leaseMs / BEATS_PER_LEASE));
  }

  /** One LIST: whether nobody was given a later lease of the key. */
  async isNewest(options: CallOptions = {}): Promise<boolean> {
    return (await listLeases(this.#storage, this.key, options)).highest <= this.token;
  }

  /**
   * Ends the lease, so that those who wait go on: after the result was stored, or the run failed. What cannot be done within
   * `cacheTimeoutMs` is left; then the others wait until the lease expires. Never throws; further calls do nothing.
   */
  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** The signs of life of those that died: nobody else knows of them once their leases are deleted. One that is late beats again. */
  async #beatsLeft(options: CallOptions): Promise<string[]> {
    const beats: string[] = [];
    for (const token of this.#unended.slice(-MAX_UNENDED)) {
      const record = await readLease(this.#storage, this.key, token, options);
      if (record) beats.push(beatName(record.session));
    }
    return beats;
  }

  async #release(): Promise<void> {
    try {
      const deadline = new Deadline(this.#releaseTimeoutMs);
      await deadline.run({}, async ({ signal }) => {
        // The lease itself stays, so that its token is not given again.
        await this.#storage.create(releasedName(this.key, this.token), new Uint8Array(0), { signal });
        await this.#heartbeat.stop();
        if (this.#earlier.length === 0) return;
        const beats = await this.#beatsLeft({ signal });
        const [failure] = await this.#storage.delete([...beats, ...this.#earlier], { signal });
        if (failure) throw failure.error;
      });
    } catch (error) {
      void this.#heartbeat.stop();
      const { key } = this;
      reportTaskCacheFailure(this.#storage, { operation: 'release', reason: 'unavailable', key, error });
    }
  }
}

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
