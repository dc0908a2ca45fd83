import { type State, textOf } from './explore.ts';

/** What is explored. */
export interface Configuration {
  writers: number;
  collectors: number;
  /** Collections that each collector begins; a list where they differ. */
  rounds: number | readonly number[];
  /** Deletes that fail: each may take effect at any time later, or never. */
  failures?: number;
  /** Writers that a collector gave up on go on as attempt n + 1. */
  recovery?: boolean;
  /** Ways by which writers come to rely on what is there, beside looking for it. */
  hints?: boolean;
  knowledge?: boolean;
  clone?: boolean;
  /** Silent sessions are abandoned, however alive they are. */
  abandons?: boolean;
  /** Runs of writers are given up again. */
  deletedRuns?: boolean;
  /** Copy 0 is of another content than K, which K shares chunks with. */
  otherContent?: boolean;
  /** A collector died after it had made a version final. */
  finalAtStart?: boolean;
  /** What a version condemns lies in a list, which goes after a later version is idle. */
  lists?: boolean;
  /** Copies of a key that lives are condemned where another copy of it is whole. */
  superseded?: boolean;
  /** A collector writes copy 0 anew, as the copy and pack of a session of its own, the last one, and condemns copy 0 for it: once. */
  rewriting?: boolean;
  /** Writers record a trace that names K, fail, and are tried again as attempt n + 1, which replays it. */
  traces?: boolean;
  /** Writers fail, and describe K all the same, a report of theirs, say. */
  failedRuns?: boolean;
  /** K is the table of attempts, which was moved into content: `PURGED` keeps it, and only `DELETED` gives it up. */
  tables?: boolean;
  /** Cached calls return a reference to K, which whoever called saves: there are no bytes to write anew. */
  hits?: boolean;
  /** Writers erase something from the old run: what they write is named by a new description of it. */
  erasures?: boolean;
}

/** Rules of the protocol, each of which the model can be tried without. */
export const RULES = [
  'a writer pins the key before it looks',
  'a writer reads the log and takes nothing condemned',
  'a hit checks the packs of its manifest',
  'a hinted pack is pinned',
  'a hinted pack is looked at once it is pinned',
  'a known copy counts only under the version that it was known under',
  'a clone looks at its source after it read the log',
  'a clone counts only if the log stood still',
  'a proposal follows the version under which its marks began',
  'a proposal is marked again before it is final',
  'a final version follows the proposal of its own collector at once',
  'what carries the id of an open session lives',
  'an abandoned session cannot close',
  'an owner that goes on as n + 1 looks again',
  'what was not confirmed gone stays condemned',
  'what is carried is not spared',
  'whoever finishes another version deletes no pins',
  'pins go only after a final version of one’s own',
  'an open session keeps its pins',
  'a list that is gone has the newest version read again',
  'what supersedes a copy is whole after the second mark',
  'what supersedes a copy is not condemned, and names nothing that is',
  'a pack that was rewritten goes with a later collection, where nothing names it then',
  'what traces of an attempt name that is not done lives',
  'traces are read once their attempt was seen as closed',
  'traces of an attempt that a collector gives up are read in the same mark',
  'what is replayed is relied on like a row',
  'what a failed attempt describes lives',
  'a table that was moved lives under PURGED',
  'a reference that a hit returned is relied on like a row',
  'an attempt that was described anew is read in the second mark',
  'an eraser is open until the new description stands',
  'the sessions of erasers are read before attempts',
] as const;
export type Rule = (typeof RULES)[number];

/** Steps of the protocol. The sources name them: "(model: `pin`)". */
export const STEPS = [
  // writers
  'open',
  'pin',
  'read log',
  'look',
  'check packs',
  'pin packs',
  'write pack',
  'write copy',
  'close',
  'go on as n + 1',
  'know',
  'clone',
  'trace',
  'replay',
  'hit',
  'describe',
  // collectors
  'begin',
  'mark',
  'read',
  'read traces',
  'list',
  'supersede',
  'rewrite',
  'propose',
  'mark again',
  'abandon',
  'judge',
  'carry',
  'final',
  'delete',
  'delete pins',
  'idle',
  'delete lists',
  'finish',
] as const;
export type StepName = (typeof STEPS)[number];

/** Takes a step of the protocol, or something that happens to it. */
export type Go = (label: string, change: (after: State) => void) => void;

/** Where the numbers of a state lie: first those of the store. `CONDEMNED` is what the newest version condemns, in lists or not. */
export const [VERSION, PHASE, CONDEMNED, IDLE_CONDEMNED, ROOT, PACKS, LATE, FAILURES, LISTS_GONE] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8,
];
const HEAD = 9;
export const [IDLE, PROPOSED, FINAL] = [0, 1, 2];
/** Of a session. */
export const [OPEN, PINS_KEY, PINS_PACKS, OUTCOME, TRACED] = [0, 1, 2, 3, 4];
export const SESSION = 5;
/** `DESCRIBED`: failed, and its description names K. */
export const [UNCLOSED, DONE, ABANDONED, DELETED, FAILED, DESCRIBED, PURGED] = [0, 1, 2, 3, 4, 5, 6];
/** Of the old run: it is given up, names K, is purged, or names K since something was erased from it. */
export const [GIVEN_UP, STANDS, IS_PURGED, BEFORE_ERASURE, ERASED] = [0, 1, 2, 3, 4];
/** Of a trace: recorded while its attempt was open, or later by an owner that was fenced. */
export const [IN_TIME, TOO_LATE] = [1, 2];
/** Of a writer: `MINE` is the session it works under, `COPY` and `PACK` what it found (one more than its number). */
export const [W_PC, W_MINE, W_COPY, W_PACK, W_VERSION, W_SEEN, W_LISTED, W_REFERS] = [0, 1, 2, 3, 4, 5, 6, 7];
const WRITER = 8;
/** Of a collector. */
export const [G_PC, G_VERSION, G_AT, G_HALF, G_KEY, G_PACKS, G_OWN, G_NAMED] = [0, 1, 2, 3, 4, 5, 6, 7];
export const [G_SET, G_CARRIED, G_LEFT, G_CLOSED, G_COPIES, G_SUPERSEDED] = [8, 9, 10, 11, 12, 13];
/** Sessions that it saw as failed or abandoned, those of which it saw a trace, and those whose traces were read. */
export const [G_NOT_DONE, G_TRACES, G_TRACES_READ, G_ROUNDS] = [14, 15, 16, 17];
const COLLECTOR = 18;

/** Outcomes of a session whose description names K. */
const NAMES_K: readonly number[] = [DONE, DESCRIBED, PURGED];

/** The layout of the states of one configuration, and what can be asked of one of them. */
export class Layout {
  readonly configuration: Configuration;
  readonly sessions: number;
  /** Copies, and packs: copy 0 and pack 0 are the old run's, i + 1 session i's. */
  readonly copies: number;
  /** The copy that copy 0 is written anew as, of the last session; its pack has the same number. */
  readonly rewritten: number | undefined;
  readonly #without: readonly Rule[];
  readonly #writers: number;
  readonly #collectors: number;

  constructor(configuration: Configuration, without: readonly Rule[]) {
    const { writers, recovery, traces, rewriting } = configuration;
    this.configuration = configuration;
    this.#without = without;
    const ofWriters = recovery || traces ? writers * 2 : writers;
    this.sessions = rewriting ? ofWriters + 1 : ofWriters;
    this.copies = this.sessions + 1;
    this.rewritten = rewriting ? this.sessions : undefined;
    this.#writers = this.sessionAt(this.sessions);
    this.#collectors = this.#writers + writers * WRITER;
  }

  rule(name: Rule): boolean {
    return !this.#without.includes(name);
  }

  initial(): State {
    const { collectors, failures = 0, finalAtStart, erasures } = this.configuration;
    const state: State = new Array(this.#collectors + collectors * COLLECTOR).fill(0);
    state[ROOT] = erasures ? BEFORE_ERASURE : STANDS;
    state[PACKS] = 1;
    state[FAILURES] = failures;
    state[this.copyAt(0)] = 1; // names pack 0
    if (finalAtStart) {
      state[VERSION] = 1;
      state[PHASE] = FINAL;
    }
    return state;
  }

  /**
   * The same for two states that differ in which of two collectors is which: their steps are the same, and nothing in the store tells them
   * apart, so that what can come of one of these states can come of the other.
   */
  keyOf(state: State): string {
    const { collectors, rounds } = this.configuration;
    if (collectors !== 2 || typeof rounds !== 'number') return textOf(state);
    const [first, second, end] = [this.collectorAt(0), this.collectorAt(1), this.collectorAt(2)];
    for (let at = first; at < second; at++) {
      const less = get(state, at) - get(state, at + COLLECTOR);
      if (less < 0) break;
      if (less > 0)
        return textOf([...state.slice(0, first), ...state.slice(second, end), ...state.slice(first, second)]);
    }
    return textOf(state);
  }

  copyAt(copy: number): number {
    return HEAD + copy;
  }

  sessionAt(session: number): number {
    return HEAD + this.copies + session * SESSION;
  }

  writerAt(writer: number): number {
    return this.#writers + writer * WRITER;
  }

  collectorAt(collector: number): number {
    return this.#collectors + collector * COLLECTOR;
  }

  /** Names are bits: copies first, then packs. */
  packBit(pack: number): number {
    return 1 << (this.copies + pack);
  }

  /** One more than the pack that a copy names; 0 where there is no such copy. */
  packOf(state: State, copy: number): number {
    return get(state, this.copyAt(copy));
  }

  isOfK(copy: number): boolean {
    return (copy > 0 && copy !== this.rewritten) || !this.configuration.otherContent;
  }

  isWhole(state: State, copy: number): boolean {
    const named = this.packOf(state, copy);
    return named > 0 && hasPack(state, named - 1);
  }

  /** The old run refers to content of copy 0. */
  isRooted(state: State): boolean {
    return [STANDS, IS_PURGED, ERASED].includes(get(state, ROOT));
  }

  /** Somebody refers to content of which no copy is whole. */
  isLost(state: State): boolean {
    let isKWhole = false;
    for (let copy = 0; copy < this.copies; copy++) isKWhole ||= this.isOfK(copy) && this.isWhole(state, copy);
    const isOtherWhole =
      this.isWhole(state, 0) || (this.rewritten !== undefined && this.isWhole(state, this.rewritten));
    if (this.isRooted(state) && !(this.configuration.otherContent ? isOtherWhole : isKWhole)) return true;
    for (let session = 0; session < this.sessions; session++) {
      if (NAMES_K.includes(get(state, this.sessionAt(session) + OUTCOME)) && !isKWhole) return true;
      if (this.#isReplayable(state, session) && !isKWhole) return true;
    }
    return false;
  }

  /** Somebody may go on from what this session recorded in time: it is not done, nor given up, nor is the one after it done. */
  #isReplayable(state: State, session: number): boolean {
    const { traces, writers } = this.configuration;
    if (!traces || session >= writers) return false;
    const at = this.sessionAt(session);
    const isNotDone = [FAILED, ABANDONED].includes(get(state, at + OUTCOME));
    const isNextDone = [DONE, DELETED].includes(get(state, this.sessionAt(session + writers) + OUTCOME));
    return isNotDone && get(state, at + TRACED) === IN_TIME && !isNextDone;
  }

  remove(state: State, names: number): void {
    for (let copy = 0; copy < this.copies; copy++) if ((names >> copy) & 1) state[this.copyAt(copy)] = 0;
    state[PACKS] = get(state, PACKS) & ~(names >> this.copies);
  }
}

export function get(state: State, at: number): number {
  return state[at] as number;
}

export function hasPack(state: State, pack: number): boolean {
  return ((get(state, PACKS) >> pack) & 1) === 1;
}

export function put(index: number, value: number): (state: State) => void {
  return (state) => {
    state[index] = value;
  };
}
