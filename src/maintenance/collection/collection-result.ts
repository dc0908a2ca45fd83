import type { Unconfirmed, Undeleted } from './deletion.ts';
import type { SkippedPlace } from './places.ts';

/** Packs of which much is dead, whose contents are written anew. */
export interface RewrittenPacks {
  /** Copies that name them, each of which is written anew. */
  readonly copies: number;
  readonly packs: number;
  /** What is written: chunks that live, and manifests. */
  readonly writtenBytes: number;
  /** The length of the packs, which go with the next collection. */
  readonly freedBytes: number;
}

/** What came of a collection. */
export interface CollectionResult {
  /** `superseded`: another collector was faster, and nothing was deleted by this one. `nothing`: there was nothing to condemn. */
  readonly outcome: 'collected' | 'nothing' | 'superseded' | 'dry-run';
  /** The newest version of the log that this collection wrote or read. */
  readonly version: number;
  readonly sessions: number;
  /** Names that nothing kept at the first mark, or nobody needed, by kind. */
  readonly condemned: { copies: number; packs: number; plain: number; values: number };
  /** The bytes of what was condemned. */
  readonly condemnedBytes: number;
  /** Copies among them that live, but that another copy of their content supersedes. */
  readonly superseded: number;
  /** What was rewritten, or would be by what a dry run tells. */
  readonly rewritten: RewrittenPacks;
  /** Sessions and copies that were not read, since an earlier collection on this machine had read them. */
  readonly remembered: { readonly sessions: number; readonly copies: number };
  /** Why nothing could be remembered for the next collection; absent where it could, or was not to be. */
  readonly memoryProblem?: Error | undefined;
  /** Names that came alive before they were final, or went by themselves. */
  readonly spared: number;
  readonly deleted: {
    copies: number;
    packs: number;
    plain: number;
    values: number;
    /** Records of pins of sessions that are closed. */
    pins: number;
    beats: number;
    /** Marks of damage whose object is gone. */
    marks: number;
    /** Lists of versions that are over. */
    lists: number;
  };
  /** The bytes of what was deleted. */
  readonly deletedBytes: number;
  /** Silent sessions that were closed; what they kept goes with the next collection. */
  readonly abandoned: number;
  /** More was dead than one collection condemns, or more is worth rewriting than one rewrites. */
  readonly more: boolean;
  /** Names that are not confirmed gone, which stay condemned: at most 100 of them. */
  readonly unconfirmed: readonly Unconfirmed[];
  /** Other objects that could not be deleted, which the next collection finds again: at most 100 of them. */
  readonly undeleted: readonly Undeleted[];
  /** Places elsewhere where nothing was deleted. */
  readonly skippedPlaces: readonly SkippedPlace[];
}

/** Names by their kind. */
export type KindCounts = { copies: number; packs: number; plain: number };

/** What a collection counts before it deletes anything. */
export type Tally = {
  -readonly [Name in
    | 'sessions'
    | 'condemned'
    | 'condemnedBytes'
    | 'superseded'
    | 'rewritten'
    | 'remembered'
    | 'more'
    | 'skippedPlaces']: CollectionResult[Name];
} & { memoryProblem?: Error };

export const NOTHING_REWRITTEN: RewrittenPacks = { copies: 0, packs: 0, writtenBytes: 0, freedBytes: 0 };
const NOTHING_DELETED: CollectionResult['deleted'] = {
  copies: 0,
  packs: 0,
  plain: 0,
  values: 0,
  pins: 0,
  beats: 0,
  marks: 0,
  lists: 0,
};

export function resultOf(
  outcome: CollectionResult['outcome'],
  version: number,
  tally: Tally,
  more: Partial<
    Pick<CollectionResult, 'spared' | 'deletedBytes' | 'abandoned' | 'unconfirmed' | 'undeleted'>
  > & {
    deleted?: Partial<CollectionResult['deleted']>;
  } = {},
): CollectionResult {
  const { spared = 0, deletedBytes = 0, abandoned = 0, unconfirmed = [], undeleted = [], deleted } = more;
  return {
    outcome,
    version,
    ...tally,
    spared,
    deletedBytes,
    abandoned,
    unconfirmed,
    undeleted,
    deleted: { ...NOTHING_DELETED, ...deleted },
  };
}
