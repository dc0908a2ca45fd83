import { mapBounded } from '../async/bounded-work.ts';
import { allAwaited, type Wait, type Work } from '../async/work.ts';
import { isStowageError } from '../errors.ts';
import type { EntryKey } from '../format/cache-names.ts';
import {
  type BeatWait,
  beatName,
  decodeBeatWaits,
  MAX_BEAT_BYTES,
  MAX_BEAT_WAITS,
} from '../format/open-session.ts';
import { newSessionId, type SessionId } from '../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { listLeases } from './lease-listing.ts';

/** A search reads so many beats at a time, and goes on at the next new beat of the owner. */
const MAX_READS = 16;
/** A search that came so far begins again. */
const MAX_SEEN = 10_000;

/** The end of waiting for a lease whose owner waits, itself or by way of others, for the one who waits. */
export interface CircularWait {
  status: 'circular';
  /** The tasks, each of which waits for the next one, and the last for the first. */
  tasks: readonly string[];
}

/** A wait for a lease of somebody else, as what the work waits for within which the lease is asked for. */
export class LeaseWait implements Work {
  readonly id: SessionId = newSessionId();
  readonly key: EntryKey;
  readonly title: string;
  readonly outer: Work;
  readonly waits: Set<Wait> = new Set();
  isOver = false;
  /** The lease that is waited for now; `undefined` while it is not known. */
  lease: { token: number; session: SessionId } | undefined;

  constructor(key: EntryKey, outer: Work) {
    this.key = key;
    this.outer = outer;
    this.title = outer.title;
  }
}

/** The leases that a work waits for, for the beat of its own. The oldest waits come first: what waits for ever becomes the oldest. */
export function leasesAwaited(work: Work): BeatWait[] {
  const waits = [...allAwaited(work)].flatMap(([awaited, since]) => {
    if (!(awaited instanceof LeaseWait) || !awaited.lease) return [];
    const { id: wait, title: task, key, lease } = awaited;
    return [{ wait, since, task, key, token: lease.token, session: lease.session }];
  });
  return waits.sort((a, b) => a.since - b.since).slice(0, MAX_BEAT_WAITS);
}

/** A beat, as it was read. */
export interface ReadBeat {
  session: SessionId;
  version: string;
  waitsFor: readonly BeatWait[];
}

/** One GET: a beat; `undefined` without one. One that cannot be read tells of no waits. */
export async function readBeat(
  storage: DataStoreStorage,
  session: SessionId,
  { signal }: CallOptions,
): Promise<ReadBeat | undefined> {
  const name = beatName(session);
  try {
    const object = await storage.get(name, { signal, maxBytes: MAX_BEAT_BYTES });
    return object && { session, version: object.version, waitsFor: waitsIn(object.body, name, session) };
  } catch (error) {
    if (!isStowageError(error, 'OBJECT_TOO_LARGE')) throw error;
    const info = await storage.head(name, { signal });
    return info && { session, version: info.version, waitsFor: [] };
  }
}

function waitsIn(body: Uint8Array, name: string, session: SessionId): BeatWait[] {
  try {
    return decodeBeatWaits(body, name, session);
  } catch (error) {
    if (isStowageError(error, 'RECORD_DAMAGED', 'UNSUPPORTED_FORMAT')) return [];
    throw error;
  }
}

/** A wait that the beat of a session told of. */
interface Link {
  session: SessionId;
  wait: BeatWait;
}

/**
 * Looks for a wait among what the owner of its lease waits for, as beats tell it. A beat tells what was, so that one circle of beats is no
 * proof. It is one when all of them are written anew, and tell of the same waits, after all were read: then all these waits went on at
 * that moment, each from one beat to the other.
 */
export class CircleSearch {
  readonly #storage: DataStoreStorage;
  readonly #wait: LeaseWait;
  /** Sessions whose beats are to be read, and the way to them. */
  #open: { session: SessionId; way: readonly Link[] }[] = [];
  #seen = new Set<SessionId>();
  /** The circle that was found, and the versions of its beats after that. */
  #suspect: { circle: readonly Link[]; versions: readonly string[] } | undefined;

  constructor(storage: DataStoreStorage, wait: LeaseWait) {
    this.#storage = storage;
    this.#wait = wait;
  }

  /**
   * Goes on with a new beat of the owner. No request where the owner waits for nothing.
   *
   * @returns the circle, once there is no doubt of it
   */
  async look(owner: ReadBeat, options: CallOptions): Promise<CircularWait | undefined> {
    const suspect = this.#suspect;
    this.#suspect = undefined;
    const circle = suspect?.circle ?? (await this.#search(owner, options));
    const versions = circle && (await this.#versionsOf(circle, options));
    if (!versions) return undefined;
    if (!suspect?.versions.every((version, index) => version !== versions[index])) {
      this.#suspect = { circle, versions: suspect?.versions ?? versions };
      return undefined;
    }
    if (!(await this.#areHeld(circle, options))) return undefined;
    // The last wait is ours.
    const tasks = circle.map(({ wait }) => wait.task);
    return { status: 'circular', tasks: [...tasks.slice(-1), ...tasks.slice(0, -1)] };
  }

  /** Reads up to `MAX_READS` more beats; resolves to the waits from the owner to our own. */
  async #search(owner: ReadBeat, options: CallOptions): Promise<readonly Link[] | undefined> {
    if (this.#open.length === 0 || this.#seen.size > MAX_SEEN) {
      this.#open = [{ session: owner.session, way: [] }];
      this.#seen = new Set([owner.session]);
    }
    for (let reads = 0; reads < MAX_READS; reads++) {
      const next = this.#open.shift();
      if (!next) return undefined;
      const { session, way } = next;
      const beat = session === owner.session ? owner : await readBeat(this.#storage, session, options);
      for (const wait of beat?.waitsFor ?? []) {
        const longer = [...way, { session, wait }];
        if (wait.wait === this.#wait.id) {
          this.#open = [];
          return longer;
        }
        if (this.#seen.has(wait.session)) continue;
        this.#seen.add(wait.session);
        this.#open.push({ session: wait.session, way: longer });
      }
    }
    return undefined;
  }

  /** The versions of the beats that tell of these waits; `undefined` where one does so no more. */
  async #versionsOf(circle: readonly Link[], options: CallOptions): Promise<string[] | undefined> {
    const versions = await mapBounded(circle, MAX_READS, async ({ session, wait }) => {
      const beat = await readBeat(this.#storage, session, options);
      return beat?.waitsFor.some((other) => isSame(wait, other)) ? beat.version : undefined;
    });
    return versions.every((version) => version !== undefined) ? versions : undefined;
  }

  /** Nobody was given a later lease: who waits would learn of it only at the next look. */
  async #areHeld(circle: readonly Link[], options: CallOptions): Promise<boolean> {
    const held = await mapBounded(circle, MAX_READS, async ({ wait }) => {
      const { highest, released } = await listLeases(this.#storage, wait.key, options);
      return highest === wait.token && !released;
    });
    return held.every(Boolean);
  }
}

function isSame(a: BeatWait, b: BeatWait): boolean {
  return a.wait === b.wait && a.since === b.since && a.session === b.session;
}
