import type { ContentKey } from '../../format/content-names.ts';
import { tryCreateOwn } from '../../format/create-own.ts';
import {
  decodeErasureRound,
  ERASURES_FOLDER,
  type ErasureRound,
  encodeErasedContent,
  encodeErasureRound,
  erasedContentName,
  erasedContentPrefix,
  erasureRoundName,
  MAX_ERASURE_BYTES,
  parseErasedContentName,
  parseErasureRoundName,
} from '../../format/erasure-records.ts';
import { thisOwner } from '../../format/session-files.ts';
import type { SessionId } from '../../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** What a round of an erasure tells beside who wrote it. */
export type RoundFacts = Pick<ErasureRound, 'reason' | 'state' | 'keys' | 'waitsFor' | 'packs' | 'left'>;

/** The records of one erasure, as it writes them. */
export class ErasureLog {
  readonly erasure: SessionId;
  readonly #storage: DataStoreStorage;
  readonly #options: CallOptions;
  #next: number;
  readonly #written: string[] = [];

  /** @param next the number of the next round */
  constructor(storage: DataStoreStorage, erasure: SessionId, next: number, { signal }: CallOptions) {
    this.#storage = storage;
    this.erasure = erasure;
    this.#next = next;
    this.#options = { signal };
  }

  /** Says that the erasure began, and then of each content that it is erased: whoever goes on does so again. */
  async begin(facts: RoundFacts): Promise<void> {
    await this.write(facts);
    await this.tellContents(facts);
  }

  async tellContents({ keys, reason }: Pick<RoundFacts, 'keys' | 'reason'>): Promise<void> {
    for (const key of keys) {
      const name = erasedContentName(key, this.erasure);
      const body = encodeErasedContent({ key, ...this.#facts(reason) });
      this.#written.push(name);
      // One that stands was written by the same erasure.
      await this.#storage.create(name, body, { ...this.#options, durability: 'barrier' });
    }
  }

  /** Writes the next round. Where another process goes on with the same erasure, both write theirs. */
  async write({ reason, ...facts }: RoundFacts): Promise<void> {
    while (true) {
      const round = this.#next++;
      const body = encodeErasureRound({ ...this.#facts(reason), ...facts, round });
      const name = erasureRoundName(this.erasure, round);
      this.#written.push(name);
      if (await tryCreateOwn(this.#storage, name, body, { ...this.#options, durability: 'barrier' })) return;
    }
  }

  /** Takes back what was said: there was nothing to erase. */
  async forget(): Promise<void> {
    // The contents first: a round without them is gone on with.
    const [failure] = await this.#storage.delete(this.#written.reverse(), this.#options);
    if (failure) throw failure.error;
  }

  #facts(reason: string): Pick<ErasureRound, 'erasure' | 'reason' | 'by' | 'at'> {
    return { erasure: this.erasure, reason, by: thisOwner(), at: new Date().toISOString() };
  }
}

/** The latest rounds of all erasures that are not complete, in the order of their ids. */
export async function openErasures(
  storage: DataStoreStorage,
  { signal }: CallOptions,
): Promise<ErasureRound[]> {
  const latest = new Map<SessionId, ErasureRound>();
  const complete = new Set<SessionId>();
  for await (const page of storage.list({ prefix: ERASURES_FOLDER, signal })) {
    for (const { name } of page.objects) {
      const subject = parseErasureRoundName(name);
      if (!subject || complete.has(subject.erasure)) continue;
      const object = await storage.get(name, { signal, maxBytes: MAX_ERASURE_BYTES });
      if (!object) continue;
      const round = decodeErasureRound(object.body, storage.uri(name), subject);
      if (round.state === 'complete') complete.add(subject.erasure);
      else latest.set(subject.erasure, round); // rounds of one erasure are listed in their order
    }
  }
  return [...latest.values()].filter(({ erasure }) => !complete.has(erasure));
}

/** The ids of erasures that erase all of these contents, complete or not. */
export async function erasuresOfAll(
  storage: DataStoreStorage,
  keys: readonly ContentKey[],
  { signal }: CallOptions,
): Promise<Set<SessionId>> {
  let common: Set<SessionId> | undefined;
  for (const key of keys) {
    const found = new Set<SessionId>();
    for await (const page of storage.list({ prefix: erasedContentPrefix(key), signal })) {
      for (const { name } of page.objects) {
        const erasure = parseErasedContentName(name)?.erasure;
        if (erasure !== undefined && (common?.has(erasure) ?? true)) found.add(erasure);
      }
    }
    common = found;
  }
  return common ?? new Set();
}
