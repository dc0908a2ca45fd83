import { type ContentRef, refId } from '../format/content-ref.ts';
import { createOwn } from '../format/create-own.ts';
import { encodePins, pinsName } from '../format/open-session.ts';
import { newSessionId, type SessionId } from '../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/**
 * One writer's session: whatever it writes carries its id, and what it relies on of others it pins first.
 * A collector spares both for as long as the session is open.
 */
export class WriterSession {
  readonly id: SessionId;
  readonly #storage: DataStoreStorage;
  readonly #pinned = new Set<string>();
  #pinRecords = 0;
  #sequence = 0;

  constructor(storage: DataStoreStorage, id: SessionId = newSessionId()) {
    this.#storage = storage;
    this.id = id;
  }

  /** A number for the next object of this session. */
  nextSequence(): number {
    return this.#sequence++;
  }

  /** Counts entries as pinned that the session's attempt.json names already. */
  adoptFirstPins(entries: readonly ContentRef[]): void {
    for (const entry of entries) this.#pinned.add(refId(entry));
  }

  /** Whether all of `entries` are pinned. */
  hasPinned(entries: readonly ContentRef[]): boolean {
    return entries.every((entry) => this.#pinned.has(refId(entry)));
  }

  /**
   * Pins what this session may come to rely on (step 2 of the writer's protocol): one request for all that is new, none otherwise.
   * Must come before looking for it.
   */
  async pin(entries: readonly ContentRef[], { signal }: CallOptions = {}): Promise<void> {
    const fresh = entries.filter((entry) => !this.#pinned.has(refId(entry)));
    if (fresh.length === 0) return;
    const name = pinsName(this.id, this.#pinRecords++);
    await createOwn(this.#storage, name, encodePins(this.id, fresh), { signal, durability: 'deferred' });
    for (const entry of fresh) this.#pinned.add(refId(entry));
  }
}
