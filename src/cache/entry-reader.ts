import { mapBounded } from '../async/bounded-work.ts';
import type { ContentStore } from '../content/content-store.ts';
import { ContentPresence, type Presence } from '../content/reading/presence.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { valuesBase } from '../format/attempt-files.ts';
import {
  type CacheEntry,
  decodeEntry,
  MAX_ENTRY_BYTES,
  type SignatureFault,
  signatureFault,
} from '../format/cache-entry.ts';
import { type EntryKey, entryName } from '../format/cache-names.ts';
import { HERE } from '../format/content-ref.ts';
import { referencesIn } from '../format/refs.ts';
import type { EntrySigner } from '../format/signing.ts';
import type { CallOptions } from '../storage/contract.ts';

/**
 * The reason why a lookup is no hit:
 * - `absent`: there is no entry;
 * - `expired`: it is older than it may be;
 * - `purged`: content that it refers to is gone;
 * - `place-absent`: the place where content of it lies (`rawDataPath`) was moved or emptied, or is not mounted here;
 * - `unsigned`, `forged`, `unknown-key`: signing keys are set, and the entry has no signature, one that does not hold, or one that names a key
 *   which is not in the ring: one that has left it, or anybody's;
 * - `newer-format`: a newer release wrote the entry, or its content;
 * - `damaged`: the entry is no entry of this key, or all copies of a content are known to be damaged;
 * - `unavailable`: the storage failed, or took longer than `cacheTimeoutMs`.
 */
export type CacheMissReason =
  | 'absent'
  | 'expired'
  | 'purged'
  | 'place-absent'
  | SignatureFault
  | 'newer-format'
  | 'damaged'
  | 'unavailable';

/** The entry that was seen at a lookup, whatever was wrong with it: what a store may replace. */
export interface SeenEntry {
  /** The object's version, by the storage. */
  version: string;
  /** The token of the lease under which it was stored; 0 where it could not be read. */
  token: number;
}

/** An entry whose content can still be read. */
export interface CacheHit {
  status: 'hit';
  entry: CacheEntry;
  seen: SeenEntry;
}

/** A miss: the task has to run, for a reason. */
export interface CacheMiss {
  status: 'miss';
  reason: CacheMissReason;
  /** Pass it to `store` as `replaces`. Absent if there is no entry, nothing is known of it, or a newer release wrote it. */
  seen?: SeenEntry;
  /** The entry that does not count, where it can be read and its signature holds. */
  entry?: CacheEntry;
  /** `purged`, `place-absent`, `damaged`: the content that cannot be read, by the artifact that holds it or the key or name that a value refers to. */
  content?: { artifact?: string; name: string };
  error?: unknown;
}

/** The rules by which entries count. */
export interface EntryRule {
  /** An entry of this age or more is no hit, in milliseconds. Default: any age. */
  maxAgeMs?: number | undefined;
}

/** A rule, and how much is looked at. */
export interface LookRule extends EntryRule {
  /** Values in objects of the attempt's own are not looked at, since the caller loads them. Default `false`. */
  skipOwnValues?: boolean | undefined;
  /** No content is looked at, since the entry is to be replaced: a hit tells of the entry alone. Default `false`. */
  skipContent?: boolean | undefined;
}

/** The object under an entry's name. */
export type FoundEntry =
  | { entry: CacheEntry; seen: SeenEntry }
  | { problem: CacheMiss['reason']; seen: SeenEntry; error: unknown };

type Lost = Pick<CacheMiss, 'reason' | 'content' | 'error'>;

/** A look at a content. */
interface Look {
  content: NonNullable<CacheMiss['content']>;
  look: () => Promise<Presence>;
}

/** So many contents are looked at together. */
const LOOKS_AT_ONCE = 16;

/** Reads entries, and judges whether they count. */
export class EntryReader {
  readonly #content: ContentStore;
  readonly #signer: EntrySigner | undefined;
  readonly #wallClockMs: () => number;

  constructor(content: ContentStore, signer: EntrySigner | undefined, wallClockMs: () => number = Date.now) {
    this.#content = content;
    this.#signer = signer;
    this.#wallClockMs = wallClockMs;
  }

  /** Finds the entry of a key and judges it. */
  async lookup(key: EntryKey, rule: LookRule, options: CallOptions): Promise<CacheHit | CacheMiss> {
    return this.judge(await this.find(key, options), rule, options);
  }

  /** One GET: what lies under the key's name; `undefined` where nothing does. */
  async find(key: EntryKey, { signal }: CallOptions): Promise<FoundEntry | undefined> {
    const { storage } = this.#content;
    const name = entryName(key);
    try {
      const object = await storage.get(name, { signal, maxBytes: MAX_ENTRY_BYTES });
      return object && this.read(key, object.body, object.version);
    } catch (error) {
      if (!isStowageError(error, 'OBJECT_TOO_LARGE')) throw error;
      const info = await storage.head(name, { signal });
      return info && { problem: 'damaged', seen: { version: info.version, token: 0 }, error };
    }
  }

  /** Reads the bytes under a key's name. */
  read(key: EntryKey, bytes: Uint8Array, version: string): FoundEntry {
    const what = this.#content.storage.uri(entryName(key));
    const seen = { version, token: 0 };
    try {
      const entry = decodeEntry(bytes, key, what);
      const fault = this.#signer && signatureFault(bytes, key, this.#signer);
      if (fault) return { problem: fault, seen, error: notSigned(fault, what, entry.signedBy) };
      return { entry, seen: { version, token: entry.leaseToken } };
    } catch (error) {
      if (isStowageError(error, 'UNSUPPORTED_FORMAT')) return { problem: 'newer-format', seen, error };
      if (isStowageError(error, 'RECORD_DAMAGED')) return { problem: 'damaged', seen, error };
      throw error;
    }
  }

  /** Tells if the entry that was found is a hit. Costs no request for entries without content, and waits for nothing then. */
  judge(
    found: FoundEntry | undefined,
    rule: LookRule,
    options: CallOptions,
  ): CacheHit | CacheMiss | Promise<CacheHit | CacheMiss> {
    if (!found) return { status: 'miss', reason: 'absent' };
    if ('problem' in found) {
      const { problem, seen, error } = found;
      // What a newer release wrote is not to be replaced: two releases would take turns at it.
      return { status: 'miss', reason: problem, error, ...(problem === 'newer-format' ? {} : { seen }) };
    }
    const { entry, seen } = found;
    if (this.#isExpired(entry, rule)) return { status: 'miss', reason: 'expired', seen, entry };
    const hit: CacheHit = { status: 'hit', entry, seen };
    const finding = rule.skipContent ? undefined : this.#findLost(entry, rule, options);
    return finding ? finding.then((lost) => (lost ? { status: 'miss', ...lost, seen, entry } : hit)) : hit;
  }

  #isExpired({ createdAt, expiresAt }: CacheEntry, { maxAgeMs }: EntryRule): boolean {
    const nowMs = this.#wallClockMs();
    if (expiresAt !== undefined && Date.parse(expiresAt) <= nowMs) return true;
    // An entry from the future was made by a clock ahead of ours: it is new.
    return maxAgeMs !== undefined && Math.max(0, nowMs - Date.parse(createdAt)) >= maxAgeMs;
  }

  /** The first content found that cannot be read. Nothing is looked for where the entry has all values itself. */
  #findLost(
    { source, table }: CacheEntry,
    { skipOwnValues = false }: LookRule,
    options: CallOptions,
  ): Promise<Lost | undefined> | undefined {
    const presence = new ContentPresence((place, inner) => this.#content.at(place, inner));
    const looks = new Map<string, Look>();
    for (const { name, key, content, own } of table.artifacts) {
      if (own && !skipOwnValues) {
        const object = valuesBase(source, source.attempt) + own.object;
        const look = (): Promise<Presence> => presence.ofObject(object, own.place, options);
        looks.set(`${own.place ?? HERE}\n${object}`, { content: { artifact: name, name: key }, look });
      }
      if (!content) continue;
      const look = (): Promise<Presence> => presence.ofContent(content, options);
      looks.set(`${content.place ?? HERE}\n${content.key}`, {
        content: { artifact: name, name: content.key },
        look,
      });
    }
    for (const ref of referencesIn(table.artifacts)) {
      const id = `${ref.place}\n${ref.name}`;
      if (looks.has(id)) continue;
      looks.set(id, { content: { name: ref.name }, look: () => presence.ofRef(ref, options) });
    }
    return looks.size === 0 ? undefined : this.#firstLost(looks.values(), presence);
  }

  async #firstLost(looks: Iterable<Look>, presence: ContentPresence): Promise<Lost | undefined> {
    let lost: Lost | undefined;
    await mapBounded(looks, LOOKS_AT_ONCE, async ({ content, look }) => {
      if (lost) return;
      try {
        const found = await look();
        if (found === 'whole' || lost) return;
        lost = { reason: REASONS[found], content };
        if (found === 'place-absent') lost.error = presence.placeFault;
      } catch (error) {
        // What no object can be called: no fault of the storage, which would leave the entry in its place for good.
        if (!isStowageError(error, 'INVALID_ARGUMENT')) throw error;
        lost ??= { reason: 'damaged', content, error };
      }
    });
    return lost;
  }
}

const REASONS = {
  gone: 'purged',
  'place-absent': 'place-absent',
  damaged: 'damaged',
  'newer-format': 'newer-format',
} as const;

/** An entry that does not count, since signing keys are set and its signature does not hold. */
export function notSigned(fault: SignatureFault, what: string, signedBy: string | undefined): StowageError {
  const how = {
    unsigned: 'has no signature',
    forged: `has a signature that the key ${signedBy} of the ring did not make`,
    'unknown-key': `is signed by a key that is not in the ring, ${signedBy}`,
  }[fault];
  const remedy =
    fault === 'unknown-key'
      ? 'If that key has left the ring, keep it there behind the others until its entries are no longer needed; if it never was there, somebody else wrote the entry.'
      : 'Whoever stores entries needs a key of the same ring; if all do, somebody else wrote it.';
  return new StowageError('RECORD_DAMAGED', `${what} ${how}, so that it does not count. ${remedy}`, {
    details: { record: what, fault },
  });
}
