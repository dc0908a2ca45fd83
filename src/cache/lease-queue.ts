import { clockMs } from '../async/clock.ts';
import { Deadline } from '../async/deadline.ts';
import { delay } from '../async/in-time.ts';
import { currentWork, noteWait, type Work } from '../async/work.ts';
import { isStowageError, type StowageError, throwIfAborted } from '../errors.ts';
import { type EntryKey, leaseName, MAX_TOKEN, releasedName } from '../format/cache-names.ts';
import { encodeLease, type LeaseRecord } from '../format/lease-record.ts';
import { newSessionId, type SessionId } from '../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { CacheHit, EntryReader, EntryRule, SeenEntry } from './entry-reader.ts';
import { Lease } from './lease.ts';
import { CircleSearch, type CircularWait, LeaseWait, type ReadBeat, readBeat } from './lease-circle.ts';
import { type LeaseListing, listLeases, namesBelow, readLease, unendedBelow } from './lease-listing.ts';

/** Clock and chance of the waiting, for tests. */
export interface LeaseClock {
  /** A clock that never goes back. */
  nowMs(): number;
  sleep(ms: number, signal: AbortSignal | undefined): Promise<void>;
  /** From 0 to 1. */
  random(): number;
}

/** A request in the queue of a key. */
export interface QueueRequest extends EntryRule, CallOptions {
  key: EntryKey;
  /** After how long without a beat our lease may be taken over. */
  leaseMs: number;
  /** The entry that does not count, so that only another one is a result. */
  seen: SeenEntry | undefined;
  /** `true` takes only a run that began after this request. */
  refresh: boolean;
  deadline: Deadline;
  /** The longest that releasing may take. */
  releaseTimeoutMs: number;
}

/** The lease of somebody else, as this process saw it. Its age is measured here, so that no two clocks are compared. */
interface Watched {
  token: number;
  session: SessionId | undefined;
  leaseMs: number;
  beat: ReadBeat | undefined;
  /** The time at which the beat was seen first. */
  sinceMs: number;
  lookedAtMs: number;
  /** The search for ourselves among what the owner waits for; absent where no work is known that could be waited for. */
  circle: CircleSearch | undefined;
  /** True if the search knows the beat. */
  isSearched: boolean;
}

type End = Lease | CacheHit | CircularWait;
type Round = { end: End } | { end: undefined; hurry: boolean; failure?: StowageError };

const SHORTEST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2000;
/** A beat is looked at so often within the time after which it counts as missing. */
const LOOKS_PER_LEASE = 8;

const REAL_CLOCK: LeaseClock = {
  nowMs: clockMs,
  random: Math.random,
  sleep: delay,
};

/** One caller's way to a lease, or to the result of somebody else's run. */
export class LeaseQueue {
  readonly #storage: DataStoreStorage;
  readonly #entries: EntryReader;
  readonly #request: QueueRequest;
  readonly #clock: LeaseClock;
  readonly #session = newSessionId();
  readonly #work: Work | undefined = currentWork();
  readonly #wait: LeaseWait | undefined;
  /** The version of an entry that is no result. */
  #known: string | undefined;
  /** The highest token that an entry was seen with. */
  #entryToken: number;
  /** The highest token that was given when this request was made: whoever has a higher one began later. */
  #givenBefore: number | undefined;
  #watched: Watched | undefined;
  /** A token that was asked for, and may be ours. */
  #asked: number | undefined;

  constructor(
    storage: DataStoreStorage,
    entries: EntryReader,
    request: QueueRequest,
    clock: LeaseClock = REAL_CLOCK,
  ) {
    this.#storage = storage;
    this.#entries = entries;
    this.#request = request;
    this.#clock = clock;
    this.#known = request.seen?.version;
    this.#entryToken = request.seen?.token ?? 0;
    this.#wait = this.#work && new LeaseWait(request.key, this.#work);
  }

  /**
   * Waits for either, or until it is sure that the owner of the lease waits for this wait. Four requests where nobody is in the way: LIST, create, LIST, and a GET if there is an entry; one or two for each look at
   * somebody else's lease, which is taken over when its owner is silent for as long as it said; more where that one waits as well.
   *
   * @throws StowageError `ABORTED`, and what the storage throws when the time is over.
   */
  async enter(): Promise<End> {
    const { deadline, signal } = this.#request;
    const endWait = this.#wait && noteWait(this.#work, this.#wait);
    try {
      for (let waits = 0; ; waits++) {
        const round = await this.#tryRound();
        if (round.end) return round.end;
        if (round.hurry) waits = 0;
        const waitMs = this.#waitMs(waits);
        const isLate = (round.failure || this.#isForNobody) && !deadline.elapse(waitMs);
        if (isLate && round.failure) throw round.failure;
        await this.#clock.sleep(waitMs, signal);
      }
    } catch (error) {
      this.#giveUpWhatMayBeOurs();
      throw error;
    } finally {
      endWait?.();
    }
  }

  /** A round that may be made again where the storage fails for a while; all the time is there again after one that succeeds. */
  async #tryRound(): Promise<Round> {
    const { deadline, signal } = this.#request;
    try {
      const round = await deadline.run({ signal }, (options) => this.#round(options));
      if (!round.end && !this.#isForNobody) deadline.renew();
      return round;
    } catch (failure) {
      throwIfAborted(signal);
      if (!isStowageError(failure, 'STORAGE_UNAVAILABLE')) throw failure;
      return { end: undefined, hurry: false, failure };
    }
  }

  /** One look at the key, and what follows from it. */
  async #round(options: CallOptions): Promise<Round> {
    const listing = await listLeases(this.#storage, this.#request.key, options);
    this.#givenBefore ??= Math.max(listing.highest, this.#entryToken);
    const isOpen = listing.highest > 0 && !listing.released;
    if (isOpen && this.#asked !== undefined && listing.highest === this.#asked) {
      const record = await this.#readLease(this.#asked, options);
      if (record?.session === this.#session) return { end: this.#hold(this.#asked, listing) };
      this.#asked = undefined;
    }
    const mayWait = isOpen && !(await this.#isSilent(listing.highest, options));
    // An entry that was there before counts once its owner has gone; a first one at once.
    const isNews = listing.hasEntry && (!mayWait || this.#known === undefined);
    const hit = isNews ? await this.#findResult(options) : undefined;
    if (hit) return { end: hit };
    if (mayWait) {
      const circle = await this.#findCircle(options);
      return circle ? { end: circle } : { end: undefined, hurry: false };
    }
    return this.#take(Math.max(listing.highest, this.#entryToken) + 1, options);
  }

  async #findResult(options: CallOptions): Promise<CacheHit | undefined> {
    const { key, maxAgeMs, refresh } = this.#request;
    const found = await this.#entries.find(key, options);
    if (!found || found.seen.version === this.#known) return undefined;
    const isLateEnough = !refresh || found.seen.token > (this.#givenBefore ?? 0);
    const verdict = isLateEnough && (await this.#entries.judge(found, { maxAgeMs }, options));
    if (verdict && verdict.status === 'hit') return verdict;
    this.#known = found.seen.version;
    this.#entryToken = Math.max(this.#entryToken, found.seen.token);
    return undefined;
  }

  /** True if the owner of an open lease is silent for longer than it said that it would ever be. */
  async #isSilent(token: number, options: CallOptions): Promise<boolean> {
    const watched = this.#watched;
    if (watched?.token !== token) {
      this.#watched = await this.#watch(token, options);
      return false;
    }
    const nowMs = this.#clock.nowMs();
    if (nowMs - watched.lookedAtMs < watched.leaseMs / LOOKS_PER_LEASE) return false;
    watched.lookedAtMs = nowMs;
    const beat = await this.#beatOf(watched.session, options);
    if (beat?.version !== watched.beat?.version) {
      Object.assign(watched, { beat, sinceMs: this.#clock.nowMs(), isSearched: false });
      return false;
    }
    // Measured from after the first sight of the beat to before the last one: for so long it surely was the same.
    return nowMs - watched.sinceMs >= watched.leaseMs;
  }

  /** Begins to watch the owner of a lease. */
  async #watch(token: number, options: CallOptions): Promise<Watched> {
    const record = await this.#readLease(token, options);
    const session = record?.session;
    const leaseMs = record?.leaseMs ?? this.#unreadableMs();
    const beat = await this.#beatOf(session, options);
    const nowMs = this.#clock.nowMs();
    if (this.#wait) this.#wait.lease = session === undefined ? undefined : { token, session };
    const circle = this.#wait && new CircleSearch(this.#storage, this.#wait);
    return { token, session, leaseMs, beat, sinceMs: nowMs, lookedAtMs: nowMs, circle, isSearched: false };
  }

  /** Looks for ourselves among what the owner waits for, once for each of its beats. */
  async #findCircle(options: CallOptions): Promise<CircularWait | undefined> {
    const watched = this.#watched;
    if (!watched?.circle || !watched.beat || watched.isSearched) return undefined;
    watched.isSearched = true;
    return watched.circle.look(watched.beat, options);
  }

  /** True while waiting for a lease that cannot be read: that is no run of another process, but time that the cache takes. */
  get #isForNobody(): boolean {
    return this.#watched !== undefined && this.#watched.session === undefined;
  }

  /** The wait for the owner of a lease that cannot be read, if there is one. Garbage must not cost more than a cache may. */
  #unreadableMs(): number {
    const { leaseMs, deadline } = this.#request;
    return Math.min(leaseMs, deadline.limitMs / 2);
  }

  async #beatOf(session: SessionId | undefined, options: CallOptions): Promise<ReadBeat | undefined> {
    return session === undefined ? undefined : readBeat(this.#storage, session, options);
  }

  #readLease(token: number, options: CallOptions): Promise<LeaseRecord | undefined> {
    return readLease(this.#storage, this.#request.key, token, options);
  }

  /** Creates the lease of a token, and makes sure that nobody went past it meanwhile. */
  async #take(token: number, options: CallOptions): Promise<Round> {
    const { key, leaseMs } = this.#request;
    if (token > MAX_TOKEN) throw new RangeError(`The leases of cache key ${key} have used up all tokens.`);
    const record = encodeLease({ key, token, session: this.#session, leaseMs });
    this.#asked = token;
    const created = await this.#storage.create(leaseName(key, token), record, options);
    if (!created) return { end: undefined, hurry: true };
    // A token far behind may have been free again, since the objects of ended leases are deleted below the newest.
    const listing = await listLeases(this.#storage, key, options);
    if (listing.highest === token && !listing.released) return { end: this.#hold(token, listing) };
    this.#asked = undefined;
    if (listing.highest > token) await this.#storage.delete([leaseName(key, token)], options);
    return { end: undefined, hurry: true };
  }

  #hold(token: number, listing: LeaseListing): Lease {
    const { key, leaseMs, releaseTimeoutMs } = this.#request;
    const [earlier, unended] = [namesBelow(listing, token), unendedBelow(listing, token)];
    this.#asked = undefined;
    const held = { key, token, session: this.#session, leaseMs, earlier, unended, work: this.#work };
    return new Lease(this.#storage, held, releaseTimeoutMs);
  }

  /** A lease that was asked for last, and may exist, would keep others waiting until it expires. */
  #giveUpWhatMayBeOurs(): void {
    if (this.#asked === undefined) return;
    const { key, releaseTimeoutMs } = this.#request;
    const name = releasedName(key, this.#asked);
    const giveUp = async (): Promise<void> => {
      const token = this.#asked as number;
      await new Deadline(releaseTimeoutMs).run({}, async (options) => {
        const record = await this.#readLease(token, options);
        if (record?.session === this.#session) await this.#storage.create(name, new Uint8Array(0), options);
      });
    };
    giveUp().catch(() => {}); // the lease expires
  }

  #waitMs(waits: number): number {
    const longestMs = Math.min(
      LONGEST_WAIT_MS,
      SHORTEST_WAIT_MS * 2 ** Math.min(waits, 10),
      this.#isForNobody ? this.#unreadableMs() / LOOKS_PER_LEASE : Infinity,
    );
    return SHORTEST_WAIT_MS / 5 + this.#clock.random() * longestMs;
  }
}
