import { Deadline } from '../async/deadline.ts';
import type { Work } from '../async/work.ts';
import { type EntryKey, releasedName } from '../format/cache-names.ts';
import { beatName } from '../format/open-session.ts';
import type { SessionId } from '../format/session-id.ts';
import { Heartbeat } from '../sessions/heartbeat.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { leasesAwaited } from './lease-circle.ts';
import { listLeases, readLease } from './lease-listing.ts';
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
  /** The work that is done under it; its beats tell what that waits for. Default: none that is known. */
  work?: Work | undefined;
}

/**
 * The right to run the task of a key, until it is released, or its owner is silent for `leaseMs`. It says so while it is held by
 * overwriting `beats/<session>`, and tells there what leases of others the work waits for that is done under it. Holding one is no proof: what counts is that an entry stored with its token replaces none that
 * carries a higher one.
 */
export class Lease implements AsyncDisposable {
  readonly key: EntryKey;
  /** Grows with every lease of the key. Tokens may begin anew once retention deleted the leases of a key that had no entry, and gave no sign of life, for a week. */
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
    const { work } = held;
    const waitsFor = () => (work && !this.#releasing ? leasesAwaited(work) : []);
    const intervalMs = Math.ceil(held.leaseMs / BEATS_PER_LEASE);
    this.#heartbeat = new Heartbeat(storage, held.session, intervalMs, waitsFor);
  }

  /** True if nobody was given a later lease of the key. One LIST. */
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
        // The lease itself stays, so that its token is not given again while an owner may live.
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
