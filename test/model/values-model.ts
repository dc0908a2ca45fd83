import { type Exploration, explore, type State, type Step } from './explore.ts';

/**
 * The values of attempts (docs/format.md, section 5), which go without the collector's log: no other attempt refers to them. Attempt n has
 * object 0 of its owner's session. An eraser writes what remains as object 1, under a session of its own. The owner that a collector gave
 * up on goes on as attempt n + 1, whose object is 2. Steps are named as in src/maintenance/collection/values-marks.ts.
 */
export const VALUE_RULES = [
  'values are listed before sessions are read',
  'sessions are read before descriptions',
  'values of a writer whose session is open live',
] as const;
export type ValueRule = (typeof VALUE_RULES)[number];

/** Steps of the protocol. The sources name them: "(model: `describe`)". */
export const VALUE_STEPS = [
  'open',
  'write values',
  'describe',
  'close',
  'go on as n + 1',
  'copy values',
  'list values',
  'mark',
  'read',
  'delete values',
  'abandon',
  'write anew',
  'describe anew',
] as const;

const [
  OBJECTS,
  OWNER,
  ERASER,
  OUTCOME,
  ERASER_OPEN,
  METADATA,
  ERASED,
  GIVEN_UP,
  N1,
  COLLECTOR,
  LISTED,
  OPEN,
  SEEN,
  ROUNDS,
] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
/** Outcomes of an attempt; 0 where it is not there yet. */
const [UNCLOSED, DONE, ABANDONED] = [1, 2, 3];

/** @param rounds collections, one after the other */
export function exploreValues(
  rounds: number,
  { without = [], limit = 1_000_000 }: { without?: readonly ValueRule[]; limit?: number } = {},
): Exploration {
  const rule = (name: ValueRule): boolean => !without.includes(name);
  const n = (state: State, at: number): number => state[at] as number;
  const order = [
    rule('values are listed before sessions are read') ? 'list' : 'sessions',
    rule('values are listed before sessions are read') ? 'sessions' : 'list',
    'descriptions',
  ];
  if (!rule('sessions are read before descriptions')) order.splice(0, 3, 'list', 'descriptions', 'sessions');
  return explore(new Array(14).fill(0), stepsOf, isLost, limit);

  /** The description that counts names an object that is gone, and nobody gave it up. */
  function isLost(state: State): boolean {
    if (n(state, GIVEN_UP)) return false;
    const has = (object: number): boolean => ((n(state, OBJECTS) >> object) & 1) === 1;
    const isDone = n(state, OUTCOME) === DONE;
    if (isDone && n(state, ERASED)) return !has(1);
    if (isDone) return !has(0);
    return n(state, N1) === DONE && !has(2);
  }

  function stepsOf(state: State): Step[] {
    const steps: Step[] = [];
    const go = (label: string, changes: Readonly<Record<number, number>>): void => {
      const after = state.slice();
      for (const [at, value] of Object.entries(changes)) after[Number(at)] = value;
      steps.push([label, after]);
    };
    const objects = n(state, OBJECTS);
    // The owner: opens, writes its values, describes, is done; or goes on as n + 1, where it copies what is still there.
    const owner = n(state, OWNER);
    if (owner === 0) go('open: attempt n', { [OWNER]: 1, [OUTCOME]: UNCLOSED });
    if (owner === 1) go('write values: object 0', { [OWNER]: 2, [OBJECTS]: objects | 1 });
    if (owner === 2) go('describe: attempt n', { [OWNER]: 3, [METADATA]: 1 });
    if (owner === 3 && n(state, OUTCOME) === UNCLOSED)
      go('close: attempt n', { [OWNER]: 9, [OUTCOME]: DONE });
    if (owner === 3 && n(state, OUTCOME) === ABANDONED)
      go('go on as n + 1: it is open', { [OWNER]: 4, [N1]: UNCLOSED });
    if (owner === 4) {
      if (objects & 1) go('copy values: object 2', { [OWNER]: 5, [OBJECTS]: objects | 4 });
      else go('copy values: CONTENT_LOST', { [OWNER]: 9 });
    }
    if (owner === 5) go('close: attempt n + 1', { [OWNER]: 9, [N1]: DONE });
    if (n(state, OUTCOME) === DONE && !n(state, GIVEN_UP)) go('attempt n is given up', { [GIVEN_UP]: 1 });
    // The eraser: its session is open until the new description stands.
    const eraser = n(state, ERASER);
    if (eraser === 0 && n(state, OUTCOME) === DONE) go('the eraser opens', { [ERASER]: 1, [ERASER_OPEN]: 1 });
    if (eraser === 1) go('write anew: what remains, object 1', { [ERASER]: 2, [OBJECTS]: objects | 2 });
    if (eraser === 2) go('describe anew: attempt n', { [ERASER]: 3, [ERASED]: 1 });
    if (eraser === 3) go('the eraser deletes the old values', { [ERASER]: 4, [OBJECTS]: objects & ~1 });
    if (eraser === 4) go('the eraser deletes metadata.json', { [ERASER]: 5, [METADATA]: 0 });
    if (eraser === 5) go('the eraser closes', { [ERASER]: 6, [ERASER_OPEN]: 0 });
    collectorSteps(state, go);
    return steps;
  }

  function collectorSteps(
    state: State,
    go: (label: string, changes: Readonly<Record<number, number>>) => void,
  ): void {
    const pc = n(state, COLLECTOR);
    const outcome = n(state, OUTCOME);
    if (pc === 0) {
      if (n(state, ROUNDS) < rounds)
        go('a collection begins', {
          [COLLECTOR]: 1,
          [ROUNDS]: n(state, ROUNDS) + 1,
          [LISTED]: 0,
          [OPEN]: 0,
          [SEEN]: 0,
        });
      return;
    }
    const reads = order[pc - 1];
    const next = pc + 1;
    if (reads === 'list') go('list values', { [COLLECTOR]: next, [LISTED]: n(state, OBJECTS) });
    // Bit 0: attempt n is open, 1: the eraser's session, 2: attempt n + 1.
    if (reads === 'sessions') {
      const open =
        (outcome === UNCLOSED ? 1 : 0) | (n(state, ERASER_OPEN) << 1) | (n(state, N1) === UNCLOSED ? 4 : 0);
      go('mark: sessions', { [COLLECTOR]: next, [OPEN]: open });
    }
    // Objects that descriptions list. Attempt n that is open keeps whatever is its own.
    if (reads === 'descriptions') {
      let kept = n(state, OPEN) & 1 ? 3 : 0;
      if (outcome === DONE && !n(state, GIVEN_UP)) kept |= n(state, ERASED) ? 2 : 1;
      if (n(state, N1) === DONE || n(state, OPEN) & 4) kept |= 4;
      go('read: descriptions', { [COLLECTOR]: next, [SEEN]: kept });
    }
    if (pc === 4) {
      const byWriter = rule('values of a writer whose session is open live') ? n(state, OPEN) : 0;
      const dead = n(state, LISTED) & ~n(state, SEEN) & ~byWriter;
      const changes = {
        [COLLECTOR]: 0,
        [OBJECTS]: n(state, OBJECTS) & ~dead,
        [LISTED]: 0,
        [OPEN]: 0,
        [SEEN]: 0,
      };
      go('delete values', changes);
      if (outcome === UNCLOSED) go('abandon: attempt n', { [OUTCOME]: ABANDONED });
    }
  }
}
