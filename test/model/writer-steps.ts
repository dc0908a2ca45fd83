import {
  ABANDONED,
  CONDEMNED,
  DELETED,
  DESCRIBED,
  DONE,
  ERASED,
  FAILED,
  type Go,
  get,
  hasPack,
  IDLE,
  IN_TIME,
  type Layout,
  LISTS_GONE,
  OPEN,
  OUTCOME,
  PACKS,
  PHASE,
  PINS_KEY,
  PINS_PACKS,
  PURGED,
  put,
  ROOT,
  STANDS,
  type StepName,
  TOO_LATE,
  TRACED,
  UNCLOSED,
  VERSION,
  W_COPY,
  W_LISTED,
  W_MINE,
  W_PACK,
  W_PC,
  W_REFERS,
  W_SEEN,
  W_VERSION,
} from './collection-state.ts';
import type { State } from './explore.ts';

/** Where a writer stands: between which of its steps. */
const [NEW, OPENED, PINNED, READ, FOUND, TOLD, TOLD_PINNED, TOLD_READ, WRITES, PACKED, READY, CLOSED, ENDED] =
  [0, 1, 2, 3, 4, 6, 7, 71, 8, 82, 9, 10, 12];
const [KNOWS, KNOWS_COPY, KNOWS_OPENED, KNOWS_PINNED] = [20, 22, 23, 24];
const [CLONES, CLONE_FOUND, CLONE_PINNED, CLONE_UNREAD] = [30, 31, 32, 33];
/** With traces: one was recorded, and attempt n has failed. */
const [IS_TRACED, RETRIED] = [41, 42];
/** Of an eraser: the new description stands; or, against the rules, its session was closed before. */
const [DESCRIBED_ANEW, CLOSED_FIRST] = [51, 52];
/** A hit was read, and gave a reference to K. */
const REFERS = 61;
/** With lists: the version was read, and what it condemns was not. */
const [UNLISTED, TOLD_UNLISTED] = [25, 72];

/** The steps that writer i may take. */
export function writerSteps(layout: Layout, state: State, i: number, go: Go): void {
  const { configuration, copies } = layout;
  const { writers, recovery, hints, knowledge, clone, deletedRuns, lists, traces } = configuration;
  const { failedRuns, tables, hits, erasures } = configuration;
  const at = layout.writerAt(i);
  const w = (field: number): number => get(state, at + field);
  const session = w(W_MINE) * writers + i;
  const mine = layout.sessionAt(session);
  const to = (step: StepName, what: string, pc: number, change: (s: State) => void = () => {}): void =>
    go(`W${i} ${step}: ${what}`, (s) => {
      s[at + W_PC] = pc;
      change(s);
    });
  const forget = (s: State): void => {
    for (const field of [W_COPY, W_PACK, W_VERSION, W_SEEN, W_LISTED]) s[at + field] = 0;
  };
  const pinKey = (s: State): void => {
    if (layout.rule('a writer pins the key before it looks')) s[mine + PINS_KEY] = 1;
  };
  const pinPack = (s: State, pack: number): void => {
    s[mine + PINS_PACKS] = get(s, mine + PINS_PACKS) | (1 << pack);
  };
  const pack = w(W_PACK) - 1;
  const readsLog = layout.rule('a writer reads the log and takes nothing condemned');
  const isCondemned = (names: number): boolean => readsLog && (w(W_SEEN) & names) !== 0;
  const isUsable = (): boolean => hasPack(state, pack) && !isCondemned(layout.packBit(pack));
  const isIdle = get(state, PHASE) === IDLE;
  const stoodStill = get(state, VERSION) === w(W_VERSION) - 1 && isIdle;
  /** Who has a reference alone is refused where nothing whole is found. */
  const otherwise = w(W_REFERS) ? ENDED : WRITES;
  const rememberIdle = put(at + W_VERSION, get(state, VERSION) + 1);

  /** That version v + 1 is absent says as much as a LIST that shows v, so that the newest version is read as one step. */
  const readLog = (then: number, unlisted: number): void =>
    to('read log', `version ${get(state, VERSION)}`, lists ? unlisted : then, (s) => {
      s[at + W_SEEN] = get(state, CONDEMNED);
      if (lists) s[at + W_LISTED] = get(state, VERSION) + 1;
    });
  const readLists = (then: number, again: number): void => {
    const isGone = w(W_LISTED) - 1 < get(state, LISTS_GONE);
    const readsAgain = layout.rule('a list that is gone has the newest version read again');
    to('read log', isGone ? 'a list is gone' : 'its lists', isGone && readsAgain ? again : then, (s) => {
      s[at + W_LISTED] = 0;
      if (isGone) s[at + W_SEEN] = 0;
    });
  };

  switch (w(W_PC)) {
    case NEW:
      to('open', 'attempt.json', OPENED, put(mine + OPEN, 1));
      if (knowledge && isIdle && w(W_MINE) === 0)
        to('know', `idle version ${get(state, VERSION)}`, KNOWS, rememberIdle);
      if (hits && isAnyWhole()) to('hit', 'its content is there', REFERS, put(at + W_REFERS, 1));
      return;
    case REFERS: {
      const isReliedOn = layout.rule('a reference that a hit returned is relied on like a row');
      to('open', 'attempt.json', isReliedOn ? OPENED : READY, put(mine + OPEN, 1));
      return;
    }
    case OPENED:
      to('pin', 'K', PINNED, pinKey);
      if (clone && w(W_MINE) === 0) {
        const looksAfterLog = layout.rule('a clone looks at its source after it read the log');
        if (!looksAfterLog && get(state, ROOT) === STANDS) to('clone', 'its source stands', CLONE_UNREAD);
        if (looksAfterLog && isIdle) to('clone', `idle version ${get(state, VERSION)}`, CLONES, rememberIdle);
      }
      return;
    case PINNED:
      readLog(READ, UNLISTED);
      return;
    case UNLISTED:
      readLists(READ, PINNED);
      return;
    case READ:
      for (let copy = 0; copy < copies; copy++) {
        const named = layout.packOf(state, copy);
        if (named === 0 || !layout.isOfK(copy) || isCondemned(1 << copy)) continue;
        to('look', `copy ${copy}`, FOUND, (s) => {
          s[at + W_COPY] = copy + 1;
          s[at + W_PACK] = named;
        });
      }
      if (hints && !w(W_REFERS)) {
        // It is not trusted: it may name what is gone, of which pack 0 is an example.
        const isTrusted = !layout.rule('a hinted pack is looked at once it is pinned');
        for (let each = 0; each < copies; each++)
          if (hasPack(state, each) || (each === 0 && !isTrusted))
            to('look', `a hint names pack ${each}`, TOLD, put(at + W_PACK, each + 1));
      }
      to('look', 'nothing', otherwise, forget);
      return;
    case FOUND: {
      // Against the version that was read after the pin of the key: a pinned key keeps its copies, and these their packs.
      const isHit = !layout.rule('a hit checks the packs of its manifest') || isUsable();
      to('check packs', isHit ? 'a hit' : 'gone or condemned', isHit ? READY : otherwise, forget);
      return;
    }
    case TOLD:
      to('pin packs', `pack ${pack}`, TOLD_PINNED, (s) => {
        if (layout.rule('a hinted pack is pinned')) pinPack(s, pack);
      });
      return;
    case TOLD_PINNED:
      readLog(TOLD_READ, TOLD_UNLISTED);
      return;
    case TOLD_UNLISTED:
      readLists(TOLD_READ, TOLD_PINNED);
      return;
    case TOLD_READ:
      if (!layout.rule('a hinted pack is looked at once it is pinned') || isUsable())
        to('check packs', 'its chunks are reused', PACKED);
      else to('check packs', 'gone or condemned', WRITES, forget);
      return;
    case WRITES:
      to('write pack', `pack ${session + 1}`, PACKED, (s) => {
        s[PACKS] = get(s, PACKS) | (1 << (session + 1));
        s[at + W_PACK] = session + 2;
      });
      return;
    case PACKED:
      to('write copy', `copy ${session + 1}`, READY, (s) => {
        s[layout.copyAt(session + 1)] = w(W_PACK);
        forget(s);
      });
      return;
    case READY: {
      if (traces && w(W_MINE) === 0) {
        const isOpen = get(state, mine + OUTCOME) === UNCLOSED;
        to(
          'trace',
          isOpen ? 'in time' : 'too late',
          IS_TRACED,
          put(mine + TRACED, isOpen ? IN_TIME : TOO_LATE),
        );
        return;
      }
      const isFenced =
        get(state, mine + OUTCOME) !== UNCLOSED && layout.rule('an abandoned session cannot close');
      if (erasures) {
        const isOpenUntil = layout.rule('an eraser is open until the new description stands');
        if (!isOpenUntil) to('close', 'before the description', CLOSED_FIRST, put(mine + OUTCOME, DELETED));
        else if (!isFenced) to('describe', 'the old run anew', DESCRIBED_ANEW, put(ROOT, ERASED));
        return;
      }
      if (!isFenced && failedRuns) to('close', 'failed', CLOSED, put(mine + OUTCOME, DESCRIBED));
      if (!isFenced) to('close', 'done', CLOSED, put(mine + OUTCOME, DONE));
      else if (recovery && w(W_MINE) === 0)
        to('go on as n + 1', 'fenced', NEW, (s) => {
          s[at + W_MINE] = 1;
          if (layout.rule('an owner that goes on as n + 1 looks again')) return;
          s[layout.sessionAt(writers + i) + OPEN] = 1;
          s[at + W_PC] = READY;
        });
      else to('close', 'fenced', ENDED);
      return;
    }
    case CLOSED_FIRST:
      to('describe', 'the old run anew', ENDED, put(ROOT, ERASED));
      return;
    case DESCRIBED_ANEW:
      to('close', 'the eraser’s session', ENDED, put(mine + OUTCOME, DELETED));
      return;
    case IS_TRACED: {
      // By its owner, or a collector was faster; or its owner died, and somebody tries again beside it.
      const isOpen = get(state, mine + OUTCOME) === UNCLOSED;
      if (isOpen) to('close', 'failed', RETRIED, (s) => retry(s, FAILED));
      to('open', 'attempt n + 1', RETRIED, (s) => retry(s, get(state, mine + OUTCOME)));
      return;
    }
    case RETRIED: {
      const earlier = layout.sessionAt(i);
      const outcome = get(state, earlier + OUTCOME);
      const isThere = outcome !== DELETED && isAnyWhole();
      if (isThere) {
        const isReliedOn = layout.rule('what is replayed is relied on like a row');
        to('replay', 'what attempt n recorded', isReliedOn ? OPENED : READY);
      } else to('replay', 'its content is gone', OPENED);
      if (deletedRuns && (outcome === FAILED || outcome === ABANDONED))
        go(`attempt n of W${i} is given up`, put(earlier + OUTCOME, DELETED));
      return;
    }
    case CLOSED:
      if (deletedRuns) go(`the run of W${i} is given up`, givenUp);
      if (tables && get(state, mine + OUTCOME) === DONE)
        go(`the run of W${i} is purged`, put(mine + OUTCOME, PURGED));
      return;
    // What this process wrote or saw whole, after it had read an idle version.
    case KNOWS:
      for (let copy = 0; copy < copies; copy++) {
        const named = layout.packOf(state, copy);
        if (!layout.isOfK(copy) || !layout.isWhole(state, copy)) continue;
        to('know', `copy ${copy} is whole`, KNOWS_COPY, (s) => {
          s[at + W_COPY] = copy + 1;
          s[at + W_PACK] = named;
        });
      }
      return;
    case KNOWS_COPY:
      to('open', 'attempt.json', KNOWS_OPENED, put(mine + OPEN, 1));
      return;
    case KNOWS_OPENED:
      to('pin', `K and pack ${pack}`, KNOWS_PINNED, (s) => {
        pinKey(s);
        pinPack(s, pack);
      });
      return;
    case KNOWS_PINNED: {
      const found = (1 << (w(W_COPY) - 1)) | layout.packBit(pack);
      const counts =
        !layout.rule('a known copy counts only under the version that it was known under') ||
        (stoodStill && (get(state, CONDEMNED) & found) === 0);
      countOrLook(counts, 'know');
      return;
    }
    case CLONES: // the description of its source stands, without a mark
      if (get(state, ROOT) === STANDS) to('clone', 'its source stands', CLONE_FOUND);
      else to('clone', 'its source is given up', OPENED, forget);
      return;
    case CLONE_UNREAD:
      if (isIdle) to('clone', `idle version ${get(state, VERSION)}`, CLONE_FOUND, rememberIdle);
      return;
    case CLONE_FOUND:
      to('pin', 'K', CLONE_PINNED, pinKey);
      return;
    case CLONE_PINNED: {
      const counts =
        !layout.rule('a clone counts only if the log stood still') ||
        (stoodStill && (get(state, CONDEMNED) & 1) === 0);
      countOrLook(counts, 'clone');
      return;
    }
  }

  /** The same work goes on as attempt n + 1. */
  function retry(s: State, outcome: number): void {
    s[mine + OUTCOME] = outcome;
    s[at + W_MINE] = 1;
    s[layout.sessionAt(writers + i) + OPEN] = 1;
  }

  function isAnyWhole(): boolean {
    for (let copy = 0; copy < copies; copy++)
      if (layout.isOfK(copy) && layout.isWhole(state, copy)) return true;
    return false;
  }

  function givenUp(s: State): void {
    s[at + W_PC] = ENDED;
    s[mine + OUTCOME] = DELETED;
  }

  function countOrLook(counts: boolean, step: StepName): void {
    to(step, counts ? 'it counts' : 'it does not count', counts ? READY : READ, (s) => {
      forget(s);
      if (!counts) s[at + W_SEEN] = get(state, CONDEMNED);
    });
  }
}
