import { type ContentRef, refId } from '../../format/content-ref.ts';
import { createOwn } from '../../format/create-own.ts';
import { encodePins, MAX_PINS_A_RECORD, pinsName } from '../../format/open-session.ts';
import { newSessionId, type SessionId } from '../../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/**
 * The id of one session, the numbers of the objects that it writes, and what it pins. A collector spares what carries the id, and
 * what is pinned, for as long as the session is open.
 */
export class SessionPins {
  readonly id: SessionId;
  readonly #storage: DataStoreStorage;
  readonly #pinned = new Set<string>();
  #pinRecords = 0;
  #sequence = 0;

  /**
   * @param storage that of the store itself, where pins of all places lie
   * @param first what its attempt.json pins
   */
  constructor(storage: DataStoreStorage, id: SessionId = newSessionId(), first: readonly ContentRef[] = []) {
    this.#storage = storage;
    this.id = id;
    for (const entry of first) this.#pinned.add(refId(entry));
  }

  /** A number for the next object of this session. */
  nextSequence(): number {
    return this.#sequence++;
  }

  /** Tells whether all of `entries` are pinned. */
  has(entries: readonly ContentRef[]): boolean {
    return entries.every((entry) => this.#pinned.has(refId(entry)));
  }

  /**
   * Step 2 of the writer's protocol (model: `pin`, `pin packs`): pins what this session may come to rely on. One request for each 10,000 that
   * are new, none otherwise. Must come before looking for it.
   */
  async pin(entries: readonly ContentRef[], { signal }: CallOptions = {}): Promise<void> {
    const fresh = entries.filter((entry) => !this.#pinned.has(refId(entry)));
    for (let start = 0; start < fresh.length; start += MAX_PINS_A_RECORD) {
      const some = fresh.slice(start, start + MAX_PINS_A_RECORD);
      const name = pinsName(this.id, this.#pinRecords++);
      await createOwn(this.#storage, name, encodePins(this.id, some), { signal, durability: 'deferred' });
      for (const entry of some) this.#pinned.add(refId(entry));
    }
  }
}
