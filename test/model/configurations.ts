import type { Configuration, Rule } from './collection-state.ts';

const everything = {
  hints: true,
  knowledge: true,
  clone: true,
  abandons: true,
  deletedRuns: true,
  failures: 1,
};

/** Small enough for every run of the tests; each is explored whole. */
export const SMALL: Readonly<Record<string, Configuration>> = {
  'one writer, one collector, two rounds, everything': {
    writers: 1,
    collectors: 1,
    rounds: 2,
    ...everything,
  },
  'chunks of another content': {
    writers: 1,
    collectors: 1,
    rounds: 2,
    hints: true,
    otherContent: true,
    abandons: true,
    failures: 1,
  },
  'superseded copies': {
    writers: 1,
    collectors: 1,
    rounds: 2,
    superseded: true,
    knowledge: true,
    clone: true,
    abandons: true,
    failures: 1,
  },
  'a pack that is rewritten, whose chunks another content shares': {
    writers: 1,
    collectors: 1,
    rounds: 2,
    rewriting: true,
    otherContent: true,
    hints: true,
    abandons: true,
    failures: 1,
  },
  'a version of a collector that died': {
    writers: 1,
    collectors: 1,
    rounds: 2,
    finalAtStart: true,
    hints: true,
    clone: true,
    deletedRuns: true,
    abandons: true,
    failures: 1,
  },
  'traces that a retry replays': {
    writers: 1,
    collectors: 1,
    rounds: 1,
    traces: true,
    abandons: true,
  },
  'attempts that failed, and tables that were moved': {
    writers: 1,
    collectors: 1,
    rounds: 1,
    failedRuns: true,
    tables: true,
    clone: true,
    abandons: true,
    deletedRuns: true,
    failures: 1,
  },
  'references that hits return': {
    writers: 1,
    collectors: 1,
    rounds: 2,
    hits: true,
    abandons: true,
    deletedRuns: true,
    failures: 1,
  },
  erasures: {
    writers: 1,
    collectors: 1,
    rounds: 2,
    erasures: true,
    hints: true,
    failures: 1,
  },
  'lists that go': {
    writers: 1,
    collectors: 1,
    rounds: 2,
    lists: true,
    hints: true,
    failures: 1,
  },
};

/** Explored whole where time is no matter. */
export const LARGE: Readonly<Record<string, Configuration>> = {
  'everything, and an owner that goes on as n + 1': {
    writers: 1,
    collectors: 1,
    rounds: 2,
    recovery: true,
    ...everything,
  },
  'traces, and a second collection': {
    writers: 1,
    collectors: 1,
    rounds: 2,
    traces: true,
    abandons: true,
    deletedRuns: true,
  },
  'two collectors': {
    writers: 1,
    collectors: 2,
    rounds: 1,
    hints: true,
    abandons: true,
    deletedRuns: true,
  },
  'two collectors, one of which rewrites': {
    writers: 1,
    collectors: 2,
    rounds: 1,
    rewriting: true,
    abandons: true,
  },
  'two collectors that finish a third one’s version': {
    writers: 1,
    collectors: 2,
    rounds: [2, 1],
    finalAtStart: true,
    hints: true,
    deletedRuns: true,
  },
  'two collectors and an eraser': {
    writers: 1,
    collectors: 2,
    rounds: [2, 1],
    erasures: true,
    hints: true,
  },
  'two writers': {
    writers: 2,
    collectors: 1,
    rounds: 1,
    hints: true,
    abandons: true,
    deletedRuns: true,
  },
};

const one = SMALL['one writer, one collector, two rounds, everything'] as Configuration;
const superseding = SMALL['superseded copies'] as Configuration;
const rewriting = SMALL['a pack that is rewritten, whose chunks another content shares'] as Configuration;
const listing = SMALL['lists that go'] as Configuration;
const other = SMALL['chunks of another content'] as Configuration;
const recovery = { ...one, knowledge: false, clone: false, recovery: true };
const tracing = LARGE['traces, and a second collection'] as Configuration;
const failing = SMALL['attempts that failed, and tables that were moved'] as Configuration;
const referring = SMALL['references that hits return'] as Configuration;
const erasing = SMALL.erasures as Configuration;
const two = LARGE['two collectors'] as Configuration;
const finishing = LARGE['two collectors that finish a third one’s version'] as Configuration;

/** Without any of its rules the protocol loses content: in these configurations. */
export const LOSSES: readonly (readonly [Rule, Configuration])[] = [
  ['a writer pins the key before it looks', one],
  ['a writer reads the log and takes nothing condemned', one],
  ['a hit checks the packs of its manifest', recovery],
  ['a hinted pack is pinned', other],
  ['a hinted pack is looked at once it is pinned', one],
  ['a known copy counts only under the version that it was known under', one],
  ['a clone looks at its source after it read the log', one],
  ['a clone counts only if the log stood still', one],
  ['a proposal follows the version under which its marks began', two],
  ['a proposal is marked again before it is final', one],
  ['a final version follows the proposal of its own collector at once', two],
  ['what carries the id of an open session lives', one],
  ['an abandoned session cannot close', one],
  ['an owner that goes on as n + 1 looks again', recovery],
  ['what was not confirmed gone stays condemned', one],
  ['what is carried is not spared', one],
  ['whoever finishes another version deletes no pins', finishing],
  ['pins go only after a final version of one’s own', two],
  ['an open session keeps its pins', one],
  ['a list that is gone has the newest version read again', listing],
  ['what supersedes a copy is whole after the second mark', superseding],
  ['what supersedes a copy is not condemned, and names nothing that is', superseding],
  ['a pack that was rewritten goes with a later collection, where nothing names it then', rewriting],
  ['what traces of an attempt name that is not done lives', tracing],
  ['traces are read once their attempt was seen as closed', tracing],
  ['traces of an attempt that a collector gives up are read in the same mark', tracing],
  ['what is replayed is relied on like a row', tracing],
  ['what a failed attempt describes lives', failing],
  ['a table that was moved lives under PURGED', failing],
  ['a reference that a hit returned is relied on like a row', referring],
  ['an attempt that was described anew is read in the second mark', erasing],
  ['an eraser is open until the new description stands', erasing],
  ['the sessions of erasers are read before attempts', erasing],
];
