import { type Exploration, explore, type State, type Step } from './explore.ts';

/**
 * The protocol of writers and collectors as it is built, over shared content. There is one content K. Copy 0 and pack 0 belong to an old
 * run, which its user gives up at any time (DELETED or PURGED: either way it keeps nothing). Session i may write copy i + 1 and pack i + 1.
 * A copy is a manifest that names one pack. Steps are named as in src/maintenance/collection/ and src/content/writing/: whoever changes
 * one of them changes the other.
 *
 * A proposal names all that is found dead, in lists or not. The newest version is read as one step: that version v + 1 is absent says as much
 * as a LIST that shows v.
 *
 * Left out, since it is decided without the log: values of attempts (values-model.ts). The answer to a create that was lost is the answer
 * "it exists" with equal bytes, and so no step of its own; the answer to a delete that was lost is a delete that fails and comes late.
 */
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
}

/** Rules of the protocol, each of which the model can be tried without. */
export const RULES = [
  'a writer pins the key before it looks',
  'a writer reads the log and takes nothing condemned',
  'a hit checks the packs of its manifest',
  'a hinted pack is pinned',
  'a known copy counts only under the version that it was known under',
  'a clone looks at its source after it read the log',
  'a clone counts only if the log stood still',
  'a proposal is marked again before it is final',
  'a final version follows the proposal of its own collector at once',
  'what carries the id of an open session lives',
  'an abandoned session cannot close',
  'what was not confirmed gone stays condemned',
  'what is carried is not spared',
  'whoever finishes another version deletes no pins',
  'pins go only after a final version of one’s own',
  'an open session keeps its pins',
] as const;
export type Rule = (typeof RULES)[number];

/** Where the numbers of a state lie. */
const [VERSION, PHASE, CONDEMNED, IDLE_CONDEMNED, ROOT, PACKS, LATE, FAILURES] = [0, 1, 2, 3, 4, 5, 6, 7];
const HEAD = 8;
const [IDLE, PROPOSED, FINAL] = [0, 1, 2];
/** Of a session. */
const [OPEN, PINS_KEY, PINS_PACKS, OUTCOME] = [0, 1, 2, 3];
const SESSION = 4;
const [UNCLOSED, DONE, ABANDONED, DELETED] = [0, 1, 2, 3];
/** Of a writer: `MINE` is the session it works under, `COPY` and `PACK` what it found (one more than its number). */
const [W_PC, W_MINE, W_COPY, W_PACK, W_VERSION, W_SEEN] = [0, 1, 2, 3, 4, 5];
const WRITER = 6;
/** Of a collector. */
const [G_PC, G_VERSION, G_AT, G_HALF, G_KEY, G_PACKS, G_OWN, G_NAMED] = [0, 1, 2, 3, 4, 5, 6, 7];
const [G_SET, G_CARRIED, G_LEFT, G_CLOSED, G_COPIES, G_ROUNDS] = [8, 9, 10, 11, 12, 13];
const COLLECTOR = 14;

export function exploreCollection(
  configuration: Configuration,
  { without = [], limit = 3_000_000 }: { without?: readonly Rule[]; limit?: number } = {},
): Exploration {
  const { writers, collectors, rounds, failures = 0, recovery = false } = configuration;
  const { hints, knowledge, clone, abandons, deletedRuns, otherContent, finalAtStart } = configuration;
  const sessions = recovery ? writers * 2 : writers;
  const copies = sessions + 1;
  const COPIES = HEAD;
  const SESSIONS = COPIES + copies;
  const WRITERS = SESSIONS + sessions * SESSION;
  const COLLECTORS = WRITERS + writers * WRITER;
  const rule = (name: Rule): boolean => !without.includes(name);
  const pinsKey = rule('a writer pins the key before it looks');
  const looksAfterLog = rule('a clone looks at its source after it read the log');
  const readsLog = rule('a writer reads the log and takes nothing condemned');

  const put =
    (index: number, value: number) =>
    (state: State): void => {
      state[index] = value;
    };
  const packBit = (pack: number): number => 1 << (copies + pack);
  const get = (state: State, at: number): number => state[at] as number;
  const hasPack = (state: State, pack: number): boolean => ((get(state, PACKS) >> pack) & 1) === 1;

  const initial: State = new Array(COLLECTORS + collectors * COLLECTOR).fill(0);
  initial[ROOT] = 1;
  initial[PACKS] = 1;
  initial[FAILURES] = failures;
  initial[COPIES] = 1; // names pack 0
  if (finalAtStart) {
    initial[VERSION] = 1;
    initial[PHASE] = FINAL;
  }

  const isOfK = (copy: number): boolean => copy > 0 || !otherContent;
  const isWhole = (state: State, copy: number): boolean => {
    const named = get(state, COPIES + copy);
    return named > 0 && hasPack(state, named - 1);
  };
  const all = [...Array(copies).keys()];
  const isLost = (state: State): boolean => {
    const isKWhole = all.some((copy) => isOfK(copy) && isWhole(state, copy));
    if (get(state, ROOT) && !(otherContent ? isWhole(state, 0) : isKWhole)) return true;
    for (let i = 0; i < sessions; i++) {
      if (get(state, SESSIONS + i * SESSION + OUTCOME) === DONE && !isKWhole) return true;
    }
    return false;
  };
  const remove = (state: State, names: number): void => {
    for (let copy = 0; copy < copies; copy++) if ((names >> copy) & 1) state[COPIES + copy] = 0;
    state[PACKS] = get(state, PACKS) & ~(names >> copies);
  };

  return explore(initial, stepsOf, isLost, limit);

  function stepsOf(state: State): Step[] {
    const steps: Step[] = [];
    const go = (label: string, change: (after: State) => void): void => {
      const after = state.slice();
      change(after);
      steps.push([label, after]);
    };
    if (get(state, ROOT)) go('the old run is given up', put(ROOT, 0));
    for (let bit = 1; bit <= get(state, LATE); bit <<= 1) {
      if (get(state, LATE) & bit) {
        go(`a delete of ${bit} takes effect late`, (s) => {
          s[LATE] = get(s, LATE) & ~bit;
          remove(s, bit);
        });
      }
    }
    for (let i = 0; i < writers; i++) writerSteps(state, i, go);
    for (let i = 0; i < collectors; i++) collectorSteps(state, i, go);
    return steps;
  }

  function writerSteps(
    state: State,
    i: number,
    go: (label: string, change: (s: State) => void) => void,
  ): void {
    const at = WRITERS + i * WRITER;
    const w = (field: number): number => get(state, at + field);
    const session = w(W_MINE) * writers + i;
    const mine = SESSIONS + session * SESSION;
    const to = (label: string, pc: number, change: (s: State) => void = () => {}): void =>
      go(`W${i} ${label}`, (s) => {
        s[at + W_PC] = pc;
        change(s);
      });
    const forget = (s: State): void => {
      s[at + W_COPY] = 0;
      s[at + W_PACK] = 0;
      s[at + W_VERSION] = 0;
      s[at + W_SEEN] = 0;
    };
    const isCondemned = (bits: number): boolean => readsLog && (w(W_SEEN) & bits) !== 0;
    const readLog = (s: State): void => {
      s[at + W_SEEN] = get(state, CONDEMNED);
    };
    const pack = w(W_PACK) - 1;
    const open = (s: State): void => {
      s[mine + OPEN] = 1;
    };
    const isIdle = get(state, PHASE) === IDLE;
    const stoodStill = get(state, VERSION) === w(W_VERSION) - 1 && isIdle;
    const condemnsFound =
      (get(state, CONDEMNED) & ((w(W_COPY) > 0 ? 1 << (w(W_COPY) - 1) : 0) | packBit(pack))) !== 0;

    switch (w(W_PC)) {
      case 0: // step 1
        to('opens', 1, open);
        if (knowledge && isIdle && w(W_MINE) === 0)
          to('reads an idle version', 20, put(at + W_VERSION, get(state, VERSION) + 1));
        return;
      case 1: // step 2
        to('pins K', 2, (s) => {
          if (pinsKey) s[mine + PINS_KEY] = 1;
        });
        if (clone && w(W_MINE) === 0) {
          if (!looksAfterLog && get(state, ROOT)) to('finds its source', 33, put(at + W_COPY, 1));
          if (looksAfterLog && isIdle)
            to('reads an idle version, to clone', 30, put(at + W_VERSION, get(state, VERSION) + 1));
        }
        return;
      case 2: // step 3
        to('reads the log', 3, readLog);
        return;
      case 3: // step 4: LIST of K
        for (let copy = 0; copy < copies; copy++) {
          const named = get(state, COPIES + copy);
          if (named === 0 || !isOfK(copy) || isCondemned(1 << copy)) continue;
          to(`finds copy ${copy}`, 4, (s) => {
            s[at + W_COPY] = copy + 1;
            s[at + W_PACK] = named;
          });
        }
        if (hints) {
          for (let each = 0; each < copies; each++)
            if (hasPack(state, each)) to(`is told of pack ${each}`, 6, put(at + W_PACK, each + 1));
        }
        to('writes anew', 8, forget);
        return;
      case 4: {
        // LIST of the packs, against the version that was read after the pin of the key
        const isHit =
          !rule('a hit checks the packs of its manifest') ||
          (hasPack(state, pack) && !isCondemned(packBit(pack)));
        to(isHit ? 'hits' : 'finds its pack gone or condemned', isHit ? 9 : 8, forget);
        return;
      }
      case 6:
        to(`pins pack ${pack}`, 7, (s) => {
          if (rule('a hinted pack is pinned')) s[mine + PINS_PACKS] = get(s, mine + PINS_PACKS) | (1 << pack);
        });
        return;
      case 7:
        to('reads the log again', 71, readLog);
        return;
      case 71:
        if (hasPack(state, pack) && !isCondemned(packBit(pack))) to('reuses its chunks', 82);
        else to('cannot reuse it', 8, forget);
        return;
      case 8: // step 5
        to('writes its pack', 82, (s) => {
          s[PACKS] = get(s, PACKS) | (1 << (session + 1));
          s[at + W_PACK] = session + 2;
        });
        return;
      case 82:
        to('writes its copy', 9, (s) => {
          s[COPIES + session + 1] = w(W_PACK);
          forget(s);
        });
        return;
      case 9: {
        // steps 6 and 7
        const isFenced = get(state, mine + OUTCOME) !== UNCLOSED && rule('an abandoned session cannot close');
        if (!isFenced) to('is done', 10, put(mine + OUTCOME, DONE));
        else if (recovery && w(W_MINE) === 0) to('is fenced, and goes on as n + 1', 0, put(at + W_MINE, 1));
        else to('is fenced', 12);
        return;
      }
      case 10:
        if (deletedRuns) to('has its run given up', 12, put(mine + OUTCOME, DELETED));
        return;
      case 20:
        for (let copy = 0; copy < copies; copy++) {
          const named = get(state, COPIES + copy);
          if (isOfK(copy) && isWhole(state, copy)) {
            to(`has seen copy ${copy} whole`, 22, (s) => {
              s[at + W_COPY] = copy + 1;
              s[at + W_PACK] = named;
            });
          }
        }
        return;
      case 22:
        to('opens', 23, open);
        return;
      case 23:
        to(`pins K and pack ${pack}`, 24, (s) => {
          if (pinsKey) s[mine + PINS_KEY] = 1;
          s[mine + PINS_PACKS] = get(s, mine + PINS_PACKS) | (1 << pack);
        });
        return;
      case 24: {
        const counts =
          !rule('a known copy counts only under the version that it was known under') ||
          (stoodStill && !condemnsFound);
        to(
          counts ? 'reads the log: what it knows counts' : 'reads the log, and looks',
          counts ? 9 : 3,
          (s) => {
            forget(s);
            if (!counts) readLog(s);
          },
        );
        return;
      }
      case 30: // the description of its source stands, without a mark
        if (!get(state, ROOT)) {
          to('finds its source given up', 1, forget);
          return;
        }
        to('finds its source', 31, put(at + W_COPY, 1));
        return;
      case 33:
        if (isIdle) to('reads an idle version', 31, put(at + W_VERSION, get(state, VERSION) + 1));
        return;
      case 31:
        to('pins K', 32, (s) => {
          if (pinsKey) s[mine + PINS_KEY] = 1;
        });
        return;
      case 32: {
        const counts =
          !rule('a clone counts only if the log stood still') ||
          (stoodStill && (get(state, CONDEMNED) & 1) === 0);
        to(counts ? 'reads the log: the clone counts' : 'reads the log, and looks', counts ? 9 : 3, (s) => {
          forget(s);
          if (!counts) readLog(s);
        });
        return;
      }
    }
  }

  function collectorSteps(
    state: State,
    i: number,
    go: (label: string, change: (s: State) => void) => void,
  ): void {
    const at = COLLECTORS + i * COLLECTOR;
    const g = (field: number): number => get(state, at + field);
    const to = (label: string, pc: number, change: (s: State) => void = () => {}): void =>
      go(`G${i} ${label}`, (s) => {
        s[at + G_PC] = pc;
        change(s);
      });
    const end = (s: State): void => {
      for (let field = 1; field < G_ROUNDS; field++) s[at + field] = 0;
    };
    const isNewest = get(state, VERSION) === g(G_VERSION);
    const [reading, copiesListed, proposing] = [1, 2, 3];
    const again = 10;

    const markSession = (base: number): void => {
      const n = g(G_AT);
      const session = SESSIONS + n * SESSION;
      const outcome = get(state, session + OUTCOME);
      const next = (s: State): void => {
        s[at + G_AT] = n + 1;
        s[at + G_HALF] = 0;
      };
      if (g(G_HALF) === 0) {
        // The listing shows it as open or closed, or not at all.
        if (get(state, session + OPEN) === 0) to(`does not see session ${n}`, base, next);
        else if (outcome === UNCLOSED) to(`sees session ${n} open`, base, put(at + G_HALF, 1));
        else {
          to(`sees session ${n} closed`, base, (s) => {
            next(s);
            if (outcome === DONE) s[at + G_KEY] = g(G_KEY) | 1;
            s[at + G_CLOSED] = g(G_CLOSED) | (1 << n);
          });
        }
        return;
      }
      to(`reads the pins of session ${n}`, base, (s) => {
        next(s);
        if (rule('an open session keeps its pins')) {
          if (get(state, session + PINS_KEY)) s[at + G_KEY] = g(G_KEY) | 1;
          s[at + G_PACKS] = g(G_PACKS) | get(state, session + PINS_PACKS);
        }
        if (rule('what carries the id of an open session lives')) s[at + G_OWN] = g(G_OWN) | (1 << (n + 1));
      });
      if (base === again + reading && abandons) {
        to(`gives up on session ${n}`, base, (s) => {
          if (outcome === UNCLOSED) s[session + OUTCOME] = ABANDONED;
          if (outcome === UNCLOSED || outcome === ABANDONED) next(s);
          else s[at + G_HALF] = 0; // its owner was faster: it is read as closed
          if (outcome === UNCLOSED) s[at + G_CLOSED] = g(G_CLOSED) | (1 << n);
        });
      }
    };
    const mark = (base: number): void => {
      if (g(G_AT) < sessions) {
        markSession(base + reading);
        return;
      }
      to('reads the old run, and lists copies', base + copiesListed, (s) => {
        if (get(state, ROOT)) s[at + G_KEY] = get(s, at + G_KEY) | (otherContent ? 2 : 1);
        // Those that live name their packs.
        for (let copy = 0; copy < copies; copy++) {
          const named = get(state, COPIES + copy);
          if (named === 0) continue;
          const isKept = get(s, at + G_KEY) & (isOfK(copy) ? 1 : 2);
          if (isKept || (g(G_OWN) >> copy) & 1) s[at + G_NAMED] = get(s, at + G_NAMED) | (1 << (named - 1));
          else s[at + G_COPIES] = get(s, at + G_COPIES) | (1 << copy);
        }
      });
    };
    /** Copies that were found dead, and packs that are there and that nothing keeps. */
    const dead = (): number => {
      let bits = g(G_COPIES);
      for (let pack = 0; pack < copies; pack++) {
        const isKept = ((g(G_NAMED) | g(G_PACKS) | g(G_OWN)) >> pack) & 1;
        if (hasPack(state, pack) && !isKept) bits |= packBit(pack);
      }
      return bits;
    };
    const toNext = (s: State, phase: number, condemned: number): void => {
      s[VERSION] = get(s, VERSION) + 1;
      s[PHASE] = phase;
      s[CONDEMNED] = condemned;
      if (phase === IDLE) s[IDLE_CONDEMNED] = condemned;
      s[at + G_VERSION] = get(s, VERSION);
    };

    switch (g(G_PC)) {
      case 0:
        if (g(G_ROUNDS) === (typeof rounds === 'number' ? rounds : rounds[i])) return;
        to('reads the newest version', get(state, PHASE) === FINAL ? 30 : reading, (s) => {
          end(s);
          s[at + G_ROUNDS] = g(G_ROUNDS) + 1;
          s[at + G_VERSION] = get(state, VERSION);
          if (get(state, PHASE) === FINAL) s[at + G_SET] = get(state, CONDEMNED);
          else s[at + G_CARRIED] = get(state, IDLE_CONDEMNED);
        });
        return;
      case reading:
        mark(0);
        return;
      case copiesListed: {
        const found = dead();
        to('lists packs', proposing, put(at + G_SET, found | g(G_CARRIED)));
        return;
      }
      case proposing: {
        const hasPins = [...Array(sessions).keys()].some(
          (n) => (g(G_CLOSED) >> n) & 1 && get(state, SESSIONS + n * SESSION + PINS_KEY),
        );
        if (!rule('pins go only after a final version of one’s own') && hasPins) {
          to('deletes pins', 0, (s) => {
            deletePins(s, g(G_CLOSED));
            end(s);
          });
          return;
        }
        if (!isNewest) to('finds another version', 0, end);
        else if (g(G_SET) === 0 && !hasPins && !abandons) to('has nothing to propose', 0, end);
        else {
          to('proposes', again + reading, (s) => {
            toNext(s, PROPOSED, g(G_SET));
            s[at + G_AT] = 0;
            s[at + G_COPIES] = 0;
            if (!rule('a proposal is marked again before it is final')) {
              s[at + G_PC] = again + proposing;
            }
          });
        }
        return;
      }
      case again + reading:
        mark(again);
        return;
      case again + copiesListed: {
        const still = (dead() & g(G_SET)) | (rule('what is carried is not spared') ? g(G_CARRIED) : 0);
        to('spares what came alive', again + proposing, put(at + G_SET, still));
        return;
      }
      case again + proposing:
        if (!isNewest && rule('a final version follows the proposal of its own collector at once'))
          to('finds another version', 0, end);
        else to('makes it final', 20, (s) => toNext(s, FINAL, g(G_SET)));
        return;
      case 20: // its own final version
      case 30: {
        // one of another collector
        if (g(G_SET) === 0) {
          const deletesPins = g(G_PC) === 20;
          to(deletesPins ? 'has deleted all' : 'has finished the other version', deletesPins ? 21 : 22);
          return;
        }
        const bit = g(G_SET) & -g(G_SET);
        to(`deletes ${bit}`, g(G_PC), (s) => {
          remove(s, bit);
          s[at + G_SET] = g(G_SET) & ~bit;
        });
        if (get(state, FAILURES) > 0) {
          to(`deletes ${bit}, which fails`, g(G_PC), (s) => {
            s[FAILURES] = get(s, FAILURES) - 1;
            s[LATE] = get(s, LATE) | bit;
            s[at + G_SET] = g(G_SET) & ~bit;
            s[at + G_LEFT] = g(G_LEFT) | bit;
          });
        }
        return;
      }
      case 21:
        to('deletes pins', 22, (s) => deletePins(s, g(G_CLOSED)));
        return;
      case 22: {
        const left = rule('what was not confirmed gone stays condemned') ? g(G_LEFT) : 0;
        to('is idle', 0, (s) => {
          if (!rule('whoever finishes another version deletes no pins')) {
            for (let n = 0; n < sessions; n++)
              if (get(s, SESSIONS + n * SESSION + OUTCOME) !== UNCLOSED) deletePins(s, 1 << n);
          }
          if (isNewest) toNext(s, IDLE, left);
          end(s);
        });
        return;
      }
    }
  }

  function deletePins(s: State, closed: number): void {
    for (let n = 0; n < sessions; n++) {
      if (((closed >> n) & 1) === 0) continue;
      s[SESSIONS + n * SESSION + PINS_KEY] = 0;
      s[SESSIONS + n * SESSION + PINS_PACKS] = 0;
    }
  }
}
