import { invalidArgument } from '../../errors.ts';
import type { CallOptions } from '../../storage/contract.ts';

/** Steps of a collection, as its progress tells them. */
export type CollectionStep = 'mark' | 'rewrite' | 'propose' | 're-mark' | 'final' | 'delete' | 'idle';

/** Options of `collectGarbage`. */
export interface CollectionOptions extends CallOptions {
  /** Marks, tells what would be condemned, and changes nothing. Default `false`. */
  dryRun?: boolean | undefined;
  /** Ids of places elsewhere that are this store's whatever address their `owner.json` names. Default: none. */
  adopt?: readonly string[] | undefined;
  /** The store's time, in milliseconds since 1970, for tests. Default: when the storage wrote the proposal. */
  nowMs?: number | undefined;
  /** The most names that one collection condemns, since writers hold them in memory; the others wait for the next. Default 1,000,000. */
  maxCondemned?: number | undefined;
  /**
   * Deletes copies of contents that live as well, where another copy is whole, which is read for it. Default `true`; not in a dry run,
   * and not where the other copy names what is condemned and not confirmed gone, or 100,000 names are.
   */
  superseded?: boolean | undefined;
  /**
   * Writes contents anew of whose packs more than a share is dead, 25 % by default, so that these go with the next collection; `false`: none. The old
   * copies go as superseded ones do, and nothing is rewritten where these stay. At most 10,000 packs and copies, and no more is written than
   * is freed.
   */
  rewrite?: false | RewriteOptions | undefined;
  /**
   * A folder in which collections remember what they read of what never changes, so that the next one reads only what is new. It
   * may be lost, old or another's without harm. Default: nothing is remembered.
   */
  memory?: string | undefined;
  /** Told where it is, and how many sessions or names it has been through there. */
  onProgress?: ((step: CollectionStep, done: number) => void) | undefined;
}

/** Options of rewriting packs. */
export interface RewriteOptions {
  /** Packs of which a greater share is dead are rewritten: from 0 to 1. Default 0.25. */
  deadShare?: number | undefined;
  /** So many bytes are written by one collection at most. Default: no bound. */
  maxBytes?: number | undefined;
  /** Rewrites these packs alone, whatever that writes, if anything of them is dead. Default: those of which it frees more than it writes. @internal */
  only?: ((place: string, pack: string) => boolean) | undefined;
}

/** The options of rewriting, all of them. */
export type Rewrite = Pick<RewriteOptions, 'only'> & { deadShare: number; maxBytes: number };

const DEAD_SHARE = 0.25;

/**
 * The options of rewriting, all of them; `undefined` where nothing is to be rewritten.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function rewriteOptions({ rewrite = {}, superseded }: CollectionOptions): Rewrite | undefined {
  if (rewrite === false) return undefined;
  const { deadShare = DEAD_SHARE, maxBytes = Number.POSITIVE_INFINITY, only } = rewrite;
  if (!(deadShare >= 0 && deadShare <= 1))
    throw invalidArgument(`rewrite.deadShare has to be a number from 0 to 1, not ${String(deadShare)}.`);
  if (!(maxBytes >= 0))
    throw invalidArgument(`rewrite.maxBytes has to be a number of bytes, not ${String(maxBytes)}.`);
  return superseded === false ? undefined : { deadShare, maxBytes, only };
}
