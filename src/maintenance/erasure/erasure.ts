import { isStowageError, throwIfAborted } from '../../errors.ts';
import type { ErasureRound, ObjectAt } from '../../format/erasure-records.ts';
import { collectGarbage } from '../collection/collect-garbage.ts';
import type { Unconfirmed } from '../collection/deletion.ts';
import { isOfOneAttempt } from '../copy-report.ts';
import { erasePartialRecords, evictEntries } from './erase-records.ts';
import { SessionsToErase } from './erase-sessions.ts';
import { deleteOrTell, type ErasureContext } from './erasure-context.ts';
import type { ErasureLog } from './erasure-log.ts';
import type { ErasureResult, WaitedFor } from './erasure-report.ts';
import { findCopies, packsThatStand, packsWithRemains, tellSharing } from './stored-copies.ts';

/** New attempts may come to hold something while others are read: so often they are looked at again by one call. */
const MAX_SWEEPS = 10;
/** Packs that are written anew go with the second collection, and another collector may be faster. */
const MAX_COLLECTIONS = 6;

/** How far an erasure was when it was gone on with. */
export type ErasureState = Pick<ErasureRound, 'packs' | 'left'> & {
  /** Sessions that have to be closed before attempts are looked at once more; absent where they were not looked at. */
  waitsFor?: readonly string[];
  /** Nothing was done so far, so that it is forgotten where there is nothing to erase. */
  isNew?: boolean;
};

/** A session that is open, by the beginning of the names of its files. */
interface OpenSession {
  base: string;
  told: WaitedFor;
}

/** What is left of the contents behind collections. */
interface Remains {
  copies: number;
  packs: ObjectAt[];
  /** Of these, what could not be deleted. */
  unconfirmed: readonly Unconfirmed[];
}

/** One erasure, from its first look at the sessions of a store to the last collection. */
export class Erasure {
  readonly #context: ErasureContext;
  readonly #log: ErasureLog | undefined;
  readonly #reason: string;
  readonly #sessions: SessionsToErase;

  /** @param log of an erasure that changes something */
  constructor(context: ErasureContext, log: ErasureLog | undefined, reason: string) {
    this.#context = context;
    this.#log = log;
    this.#reason = reason;
    this.#sessions = new SessionsToErase(context);
  }

  /** Tells what would go. */
  async plan(): Promise<ErasureResult> {
    const { report } = this.#context;
    const found = await this.#sweep();
    const { contents, copies, packs } = await findCopies(this.#context);
    report.contents = contents;
    await tellSharing(this.#context, packs);
    const open = await this.#sessions.listOpen();
    report.waits(open.map(({ told }) => told));
    const isNothing = found + copies.length === 0 && !report.waitsFor.some(({ pinned }) => pinned);
    return report.result(isNothing ? 'nothing' : 'dry-run', undefined);
  }

  /** Erases, or goes on where it was interrupted, or had to wait. */
  async run({ waitsFor, packs, left, isNew = false }: ErasureState): Promise<ErasureResult> {
    const { report } = this.#context;
    const log = this.#log as ErasureLog;
    for (const { place, name } of left) await deleteOrTell(this.#context, [name], place);
    const swept = await this.#sweepUntilSettled(waitsFor);
    const stored = await findCopies(this.#context);
    report.contents = stored.contents;
    report.waits(swept.waitsFor.map(({ told }) => told));
    const isNothing = swept.found + stored.copies.length + report.failures === 0;
    if (isNew && isNothing && swept.waitsFor.length === 0) {
      await log.forget();
      return report.result('nothing', undefined);
    }
    await tellSharing(this.#context, stored.packs);
    // Before the manifests go which name the packs.
    const allPacks = merged(packs, stored.packs);
    await this.#write('open', swept.waitsFor, allPacks);
    const remains = await this.#collect(allPacks);
    remains.packs = await packsWithRemains(this.#context, remains.packs);
    this.#tellRemains(remains, swept.waitsFor.length > 0);
    const isOver =
      swept.waitsFor.length + remains.copies + remains.packs.length + report.failures === 0 &&
      swept.isSettled;
    if (isOver) {
      await this.#write('complete', [], []);
      return report.result('complete', log.erasure);
    }
    // Whoever relies on a copy that stays is open, or was closed since.
    const waits = remains.copies > 0 ? await this.#sessions.listOpen() : swept.waitsFor;
    report.waits(waits.map(({ told }) => told));
    await this.#write('open', waits, remains.packs);
    return report.result('open', log.erasure);
  }

  /** Packs that wait for sessions to close are none that cannot go. */
  #tellRemains({ packs, unconfirmed }: Remains, isWaiting: boolean): void {
    const { report } = this.#context;
    const told = new Set<string>();
    for (const { entry, error } of unconfirmed) {
      const { place, name } = entry;
      told.add(`${place}\t${name}`);
      report.notCollected({ place, name }, error);
    }
    if (isWaiting) return;
    for (const pack of packs) {
      if (told.has(`${pack.place}\t${pack.name}`)) continue;
      const why =
        'it holds chunks of other contents as well, which could not be written anew; a check of the store may tell why';
      report.notCollected(pack, new Error(why));
    }
  }

  /**
   * Looks at all sessions until none holds anything, and all have closed that were open when the last one did: these may have taken it from
   * there. Resolves where some have to be waited for.
   */
  async #sweepUntilSettled(
    before: readonly string[] | undefined,
  ): Promise<{ found: number; isSettled: boolean; waitsFor: OpenSession[] }> {
    let waiting = before && new Set(before);
    let found = 0;
    for (let sweeps = 0; sweeps < MAX_SWEEPS; sweeps++) {
      throwIfAborted(this.#context.options.signal);
      const opened = waiting && (await this.#sessions.listOpen()).filter(({ base }) => waiting?.has(base));
      const now = await this.#sweep();
      found += now;
      if (opened?.length === 0 && now === 0) return { found, isSettled: true, waitsFor: [] };
      const waitsFor = now > 0 || !opened ? await this.#sessions.listOpen() : opened;
      if (waitsFor.length > 0) return { found, isSettled: false, waitsFor };
      waiting = new Set();
    }
    return { found, isSettled: false, waitsFor: await this.#sessions.listOpen() };
  }

  async #sweep(): Promise<number> {
    const sessions = await this.#sessions.sweep();
    const partial = await erasePartialRecords(this.#context);
    const { erased, cacheKeys } = this.#sessions;
    const entries = await evictEntries(this.#context, erased, cacheKeys);
    cacheKeys.clear();
    return sessions + partial + entries;
  }

  /** Collects until nothing of the contents is left, nor of packs that held their chunks, or nothing more goes. */
  async #collect(packs: readonly ObjectAt[]): Promise<Remains> {
    const { content, report, options, progress } = this.#context;
    const ours = new Set(packs.map(({ place, name }) => `${place}\t${name}`));
    const isOurs = (place: string, name: string): boolean => ours.has(`${place}\t${name}`);
    let remains: Remains = { copies: 0, packs: [], unconfirmed: [] };
    for (let tries = 0; tries < MAX_COLLECTIONS; tries++) {
      try {
        const collected = await collectGarbage(content, {
          ...options,
          rewrite: { only: isOurs },
          onProgress: (_, done) => progress('collect', done),
        });
        const copies = await findCopies(this.#context);
        const standing = await packsThatStand(this.#context, packs);
        const left = new Set([...copies.copies, ...standing].map(({ place, name }) => `${place}\t${name}`));
        const unconfirmed = collected.unconfirmed.filter(({ entry }) =>
          left.has(`${entry.place}\t${entry.name}`),
        );
        remains = { copies: copies.copies.length, packs: standing, unconfirmed };
        if (left.size === 0 || (collected.outcome === 'nothing' && !collected.more)) return remains;
        if (unconfirmed.length > 0 && tries > 0) return remains;
      } catch (error) {
        // A record that cannot be read keeps everything alive, for all that a collector knows.
        if (!isOfOneAttempt(error) && !isStowageError(error, 'UNSUPPORTED_FORMAT')) throw error;
        report.problem(String(error.details.what ?? 'gc'), error);
        const copies = await findCopies(this.#context);
        return {
          copies: copies.copies.length,
          packs: await packsThatStand(this.#context, packs),
          unconfirmed: [],
        };
      }
    }
    return remains;
  }

  async #write(
    state: ErasureRound['state'],
    waitsFor: readonly OpenSession[],
    packs: readonly ObjectAt[],
  ): Promise<void> {
    const { targets, report } = this.#context;
    await this.#log?.write({
      reason: this.#reason,
      state,
      keys: targets.keys,
      waitsFor: waitsFor.map(({ base }) => base),
      packs,
      left: report.left,
    });
  }
}

function merged(...groups: readonly (readonly ObjectAt[])[]): ObjectAt[] {
  return [...new Map(groups.flat().map((object) => [`${object.place}\t${object.name}`, object])).values()];
}
