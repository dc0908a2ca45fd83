import {
  ABANDONED,
  CONDEMNED,
  DELETED,
  DESCRIBED,
  DONE,
  ERASED,
  FAILED,
  FAILURES,
  FINAL,
  G_AT,
  G_CARRIED,
  G_CLOSED,
  G_COPIES,
  G_HALF,
  G_KEY,
  G_LEFT,
  G_NAMED,
  G_NOT_DONE,
  G_OWN,
  G_PACKS,
  G_PC,
  G_ROUNDS,
  G_SET,
  G_SUPERSEDED,
  G_TRACES,
  G_TRACES_READ,
  G_VERSION,
  type Go,
  get,
  hasPack,
  IDLE,
  IDLE_CONDEMNED,
  IS_PURGED,
  LATE,
  type Layout,
  LISTS_GONE,
  OPEN,
  OUTCOME,
  PACKS,
  PHASE,
  PINS_KEY,
  PINS_PACKS,
  PROPOSED,
  PURGED,
  put,
  ROOT,
  STANDS,
  type StepName,
  TRACED,
  UNCLOSED,
  VERSION,
} from './collection-state.ts';
import type { State } from './explore.ts';

/** Where a collector stands. What it does in its second mark lies `AGAIN` behind the same of its first. */
const [BETWEEN, READING, LISTED, MARKED, REWRITING, REWRITTEN] = [0, 1, 2, 3, 4, 5];
const AGAIN = 10;
const [DELETING, DELETED_ALL, ENDING, IDLE_WRITTEN, FINISHING] = [20, 21, 22, 23, 30];

/** The steps that collector i may take. A proposal names all that is found dead: lists of it are one name here. */
export function collectorSteps(layout: Layout, state: State, i: number, go: Go): void {
  const { configuration, copies, sessions } = layout;
  const { rounds, abandons, otherContent, lists, superseded, traces, writers } = configuration;
  const at = layout.collectorAt(i);
  const g = (field: number): number => get(state, at + field);
  const to = (step: StepName, what: string, pc: number, change: (s: State) => void = () => {}): void =>
    go(`G${i} ${step}: ${what}`, (s) => {
      s[at + G_PC] = pc;
      change(s);
    });
  /** What a mark reads, one after the other: sessions, and then traces. */
  const order: (number | 'traces' | 'attempt')[] = [...Array(sessions).keys()];
  const isTracesLast = layout.rule('traces are read once their attempt was seen as closed');
  if (traces) order.splice(isTracesLast ? sessions : 0, 0, 'traces');
  const isAttemptLast = layout.rule('the sessions of erasers are read before attempts');
  if (!isAttemptLast) order.unshift('attempt');
  const end = (s: State): void => {
    s[at + G_PC] = BETWEEN;
    for (let field = 1; field < G_ROUNDS; field++) s[at + field] = 0;
  };
  const isNewest = get(state, VERSION) === g(G_VERSION);
  const toNext = (s: State, phase: number, condemned: number): void => {
    s[VERSION] = get(s, VERSION) + 1;
    s[PHASE] = phase;
    s[CONDEMNED] = condemned;
    if (phase === IDLE) s[IDLE_CONDEMNED] = condemned;
    s[at + G_VERSION] = get(s, VERSION);
  };

  switch (g(G_PC)) {
    case BETWEEN: {
      if (g(G_ROUNDS) === (typeof rounds === 'number' ? rounds : rounds[i])) return;
      const isFinal = get(state, PHASE) === FINAL;
      to(
        isFinal ? 'finish' : 'begin',
        `version ${get(state, VERSION)}`,
        isFinal ? FINISHING : READING,
        (s) => {
          const begun = g(G_ROUNDS) + 1;
          const { [at + G_PC]: pc } = s;
          end(s);
          s[at + G_PC] = pc as number;
          s[at + G_ROUNDS] = begun;
          s[at + G_VERSION] = get(state, VERSION);
          if (isFinal) s[at + G_SET] = get(state, CONDEMNED);
          else s[at + G_CARRIED] = get(state, IDLE_CONDEMNED);
        },
      );
      return;
    }
    case READING:
      mark(0);
      return;
    case LISTED: {
      const found = dead();
      to('list', 'packs', MARKED, put(at + G_SET, found | g(G_CARRIED)));
      if (!superseded) return;
      const named = found | g(G_CARRIED) | g(G_SUPERSEDED);
      for (let copy = 0; copy < copies; copy++) {
        const isNamed = ((named >> copy) & 1) === 1;
        if (layout.packOf(state, copy) > 0 && !isNamed && hasOther(copy, 0))
          to('supersede', `copy ${copy}`, LISTED, put(at + G_SUPERSEDED, g(G_SUPERSEDED) | (1 << copy)));
      }
      return;
    }
    case MARKED:
      propose();
      rewrite();
      return;
    case REWRITING: {
      const copy = layout.rewritten as number;
      to('rewrite', `copy ${copy}`, REWRITTEN, put(layout.copyAt(copy), copy + 1));
      return;
    }
    case REWRITTEN: {
      const own = layout.sessionAt(sessions - 1) + OUTCOME;
      if (get(state, own) !== UNCLOSED) to('rewrite', 'its session was abandoned', BETWEEN, end);
      else
        to('rewrite', 'its session is closed', MARKED, (s) => {
          s[own] = DELETED;
          s[at + G_SUPERSEDED] = 1;
        });
      return;
    }
    case AGAIN + READING:
      mark(AGAIN);
      return;
    case AGAIN + LISTED:
      judge();
      return;
    case AGAIN + MARKED:
      if (!isNewest && layout.rule('a final version follows the proposal of its own collector at once'))
        to('final', 'another version came', BETWEEN, end);
      else to('final', `of ${g(G_SET)}`, DELETING, (s) => toNext(s, FINAL, g(G_SET)));
      return;
    case DELETING: // its own final version
    case FINISHING: // one of another collector, which may have died
      deleteOne(g(G_PC) === DELETING ? DELETED_ALL : ENDING);
      return;
    case DELETED_ALL:
      to('delete pins', `of ${g(G_CLOSED)}`, ENDING, (s) => deletePins(s, g(G_CLOSED)));
      return;
    case ENDING: {
      const left = layout.rule('what was not confirmed gone stays condemned') ? g(G_LEFT) : 0;
      to('idle', isNewest ? `carries ${left}` : 'another collector was faster', BETWEEN, (s) => {
        if (!layout.rule('whoever finishes another version deletes no pins')) {
          for (let n = 0; n < sessions; n++)
            if (get(s, layout.sessionAt(n) + OUTCOME) !== UNCLOSED) deletePins(s, 1 << n);
        }
        if (isNewest) toNext(s, IDLE, left);
        const version = get(s, at + G_VERSION);
        end(s);
        if (!lists || !isNewest) return;
        s[at + G_PC] = IDLE_WRITTEN;
        s[at + G_VERSION] = version;
      });
      return;
    }
    case IDLE_WRITTEN:
      to('delete lists', `before version ${g(G_VERSION)}`, BETWEEN, (s) => {
        s[LISTS_GONE] = Math.max(get(s, LISTS_GONE), g(G_VERSION));
        end(s);
      });
      return;
  }

  /** Sessions one by one, DONE first; then the old run, and the copies. */
  function mark(base: number): void {
    const step = base === AGAIN ? 'mark again' : 'mark';
    const n = order[g(G_AT)];
    if (n === undefined) {
      listCopies(step, base);
      return;
    }
    const next = (s: State): void => {
      s[at + G_AT] = g(G_AT) + 1;
      s[at + G_HALF] = 0;
    };
    if (n === 'traces') {
      readTraces(base, next);
      return;
    }
    if (n === 'attempt') {
      to('read', 'the old run', base + READING, (s) => {
        next(s);
        readRoot(s, base);
      });
      return;
    }
    const session = layout.sessionAt(n);
    const outcome = get(state, session + OUTCOME);
    const isNotDone = outcome === FAILED || outcome === ABANDONED;
    if (g(G_HALF) === 0) {
      // The listing shows it as open or closed, or not at all.
      if (get(state, session + OPEN) === 0) to(step, `session ${n} is not there`, base + READING, next);
      else if (outcome === UNCLOSED) to(step, `session ${n} is open`, base + READING, put(at + G_HALF, 1));
      else
        to(step, `session ${n} is closed`, base + READING, (s) => {
          next(s);
          if (namesK(outcome)) s[at + G_KEY] = g(G_KEY) | 1;
          s[at + G_CLOSED] = g(G_CLOSED) | (1 << n);
          if (isNotDone) s[at + G_NOT_DONE] = g(G_NOT_DONE) | (1 << n);
        });
      return;
    }
    to('read', `pins of session ${n}`, base + READING, (s) => {
      next(s);
      if (layout.rule('an open session keeps its pins')) {
        if (get(state, session + PINS_KEY)) s[at + G_KEY] = g(G_KEY) | 1;
        s[at + G_PACKS] = g(G_PACKS) | get(state, session + PINS_PACKS);
      }
      if (layout.rule('what carries the id of an open session lives'))
        s[at + G_OWN] = g(G_OWN) | (1 << (n + 1));
    });
    if (base !== AGAIN || !abandons) return;
    to('abandon', `session ${n}`, base + READING, (s) => {
      if (outcome === UNCLOSED) s[session + OUTCOME] = ABANDONED;
      if (outcome === UNCLOSED || outcome === ABANDONED) next(s);
      else s[at + G_HALF] = 0; // its owner was faster: it is read as closed
      if (outcome !== UNCLOSED) return;
      s[at + G_CLOSED] = g(G_CLOSED) | (1 << n);
      if (layout.rule('traces of an attempt that a collector gives up are read in the same mark'))
        s[at + G_NOT_DONE] = g(G_NOT_DONE) | (1 << n);
    });
  }

  function namesK(outcome: number): boolean {
    if (outcome === DESCRIBED) return layout.rule('what a failed attempt describes lives');
    if (outcome === PURGED) return layout.rule('a table that was moved lives under PURGED');
    return outcome === DONE;
  }

  /** As a mark reads it: what the first one saw closed is read again only where it was described anew. */
  function isRootKept(base: number): boolean {
    const root = get(state, ROOT);
    if (root === IS_PURGED) return layout.rule('a table that was moved lives under PURGED');
    const isReadAgain = layout.rule('an attempt that was described anew is read in the second mark');
    if (root === ERASED) return base !== AGAIN || isReadAgain;
    return root === STANDS;
  }

  function readRoot(s: State, base: number): void {
    if (isRootKept(base)) s[at + G_KEY] = get(s, at + G_KEY) | (otherContent ? 2 : 1);
  }

  /** All that is recorded by now, but of attempts that an earlier mark saw closed, which it has read. */
  function readTraces(base: number, next: (s: State) => void): void {
    let recorded = 0;
    for (let n = 0; n < writers; n++) if (get(state, layout.sessionAt(n) + TRACED)) recorded |= 1 << n;
    to('read traces', `${recorded}`, base + READING, (s) => {
      next(s);
      s[at + G_TRACES] = g(G_TRACES) | (recorded & ~g(G_TRACES_READ));
    });
  }

  /** An attempt that is not done has a trace, and none after it is done. */
  function isTraced(): boolean {
    const done = g(G_CLOSED) & ~g(G_NOT_DONE);
    const replayable = g(G_TRACES) & g(G_NOT_DONE) & ~(done >> writers);
    return replayable !== 0 && layout.rule('what traces of an attempt name that is not done lives');
  }

  function listCopies(step: StepName, base: number): void {
    to(step, 'the old run, and copies', base + LISTED, (s) => {
      if (isTraced()) s[at + G_KEY] = get(s, at + G_KEY) | 1;
      s[at + G_TRACES_READ] = g(G_NOT_DONE);
      if (isAttemptLast) readRoot(s, base);
      // Those that live name their packs.
      for (let copy = 0; copy < copies; copy++) {
        const named = layout.packOf(state, copy);
        if (named === 0) continue;
        const isKept = get(s, at + G_KEY) & (layout.isOfK(copy) ? 1 : 2);
        if (isKept || (g(G_OWN) >> copy) & 1) s[at + G_NAMED] = get(s, at + G_NAMED) | (1 << (named - 1));
        else s[at + G_COPIES] = get(s, at + G_COPIES) | (1 << copy);
      }
    });
  }

  /** Copies that were found dead, and packs that are there and that nothing keeps. */
  function dead(): number {
    let names = g(G_COPIES);
    for (let pack = 0; pack < copies; pack++) {
      const isKept = ((g(G_NAMED) | g(G_PACKS) | g(G_OWN)) >> pack) & 1;
      if (hasPack(state, pack) && !isKept) names |= layout.packBit(pack);
    }
    return names;
  }

  /** Another copy of the same content is whole, and neither it nor its pack is among `condemned`. */
  function hasOther(copy: number, condemned: number): boolean {
    const { rewritten } = layout;
    if (rewritten !== undefined) {
      const names = (1 << rewritten) | layout.packBit(rewritten);
      return layout.isWhole(state, rewritten) && (condemned & names) === 0;
    }
    for (let other = 0; other < copies; other++) {
      if (other === copy || layout.isOfK(other) !== layout.isOfK(copy) || !layout.isWhole(state, other))
        continue;
      const names = (1 << other) | layout.packBit(layout.packOf(state, other) - 1);
      if ((condemned & names) === 0) return true;
    }
    return false;
  }

  /** Packs were listed before: what is written now is not among them. What is written names no pack that was found dead, or is carried. */
  function rewrite(): void {
    const pack = layout.rewritten;
    if (pack === undefined || get(state, layout.sessionAt(sessions - 1) + OPEN)) return;
    if ((g(G_SET) & 1) !== 0 || !layout.isWhole(state, 0)) return;
    to('rewrite', `pack ${pack}`, REWRITING, (s) => {
      s[layout.sessionAt(sessions - 1) + OPEN] = 1;
      s[PACKS] = get(s, PACKS) | (1 << pack);
    });
  }

  function propose(): void {
    const hasPins = [...Array(sessions).keys()].some(
      (n) => (g(G_CLOSED) >> n) & 1 && get(state, layout.sessionAt(n) + PINS_KEY),
    );
    if (!layout.rule('pins go only after a final version of one’s own') && hasPins) {
      to('delete pins', 'at once', BETWEEN, (s) => {
        deletePins(s, g(G_CLOSED));
        end(s);
      });
      return;
    }
    const proposed = g(G_SET) | g(G_SUPERSEDED);
    if (!isNewest && layout.rule('a proposal follows the version under which its marks began'))
      to('propose', 'another version came', BETWEEN, end);
    else if (proposed === 0 && !hasPins && !abandons) to('propose', 'nothing', BETWEEN, end);
    else {
      const marksAgain = layout.rule('a proposal is marked again before it is final');
      to('propose', `${proposed}`, AGAIN + (marksAgain ? READING : MARKED), (s) => {
        toNext(s, PROPOSED, proposed);
        s[at + G_SET] = proposed;
        s[at + G_AT] = 0;
        s[at + G_COPIES] = 0;
      });
    }
  }

  /** What came alive is spared, but for what is carried; a copy that is superseded stays condemned where another one is whole now. */
  function judge(): void {
    const condemned = dead() & g(G_SET);
    const carried = layout.rule('what is carried is not spared') ? g(G_CARRIED) : 0;
    let final = condemned | carried;
    const checksWhole = layout.rule('what supersedes a copy is whole after the second mark');
    const checksList = layout.rule('what supersedes a copy is not condemned, and names nothing that is');
    for (let copy = 0; copy < copies; copy++) {
      if (((g(G_SUPERSEDED) >> copy) & 1) === 0) continue;
      if (!checksWhole || hasOther(copy, checksList ? condemned | g(G_CARRIED) | g(G_SUPERSEDED) : 0))
        final |= 1 << copy;
      const isLater = 'a pack that was rewritten goes with a later collection, where nothing names it then';
      if ((final >> copy) & 1 && !layout.rule(isLater)) final |= layout.packBit(copy);
    }
    to(
      carried & ~condemned ? 'carry' : 'judge',
      `${final} of ${g(G_SET)}`,
      AGAIN + MARKED,
      put(at + G_SET, final),
    );
  }

  function deleteOne(then: number): void {
    if (g(G_SET) === 0) {
      to('delete', 'nothing more', then);
      return;
    }
    const name = g(G_SET) & -g(G_SET);
    to('delete', `${name}`, g(G_PC), (s) => {
      layout.remove(s, name);
      s[at + G_SET] = g(G_SET) & ~name;
    });
    if (get(state, FAILURES) === 0) return;
    to('delete', `${name}, which fails`, g(G_PC), (s) => {
      s[FAILURES] = get(s, FAILURES) - 1;
      s[LATE] = get(s, LATE) | name;
      s[at + G_SET] = g(G_SET) & ~name;
      s[at + G_LEFT] = g(G_LEFT) | name;
    });
  }

  function deletePins(s: State, closed: number): void {
    for (let n = 0; n < sessions; n++) {
      if (((closed >> n) & 1) === 0) continue;
      s[layout.sessionAt(n) + PINS_KEY] = 0;
      s[layout.sessionAt(n) + PINS_PACKS] = 0;
    }
  }
}
