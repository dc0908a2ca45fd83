import {
  BEFORE_ERASURE,
  type Configuration,
  GIVEN_UP,
  get,
  IS_PURGED,
  LATE,
  Layout,
  put,
  ROOT,
  type Rule,
  STANDS,
} from './collection-state.ts';
import { collectorSteps } from './collector-steps.ts';
import { type Exploration, explore, type State, type Step } from './explore.ts';
import { writerSteps } from './writer-steps.ts';

/**
 * The protocol of writers and collectors as it is built, over shared content. There is one content K. Copy 0 and pack 0 belong to an old
 * run, which its user gives up at any time. Session i may write copy i + 1 and pack i + 1. A copy is a manifest that names one pack.
 *
 * Left out, and why:
 * - Values of attempts go without the log: values-model.ts.
 * - DELETED and PURGED are one but for tables that were moved: of other shared content either keeps nothing, and both are told by the same
 *   listing. ERASED gives K up as they do; where it names K, see `erasures`.
 * - The answer to a create that was lost is the answer "it exists" with equal bytes, and so no step of its own; the answer to a delete that
 *   was lost is a delete that fails and comes late.
 * - A process that stops for good is one of the interleavings: the others go on without it.
 * - Shards of a listing are read one after the other: what one shows of a name is what is there at that moment, so that names are independent.
 * - Pins in attempt.json are an opening and a pin in one step, and so fewer interleavings than two.
 * - Checkpoints are traces: of either a record names K. That only the last checkpoint of an attempt counts keeps less alive.
 * - A trace that a fenced owner records late is none once its content is gone, so that nothing is lost by that.
 * - A report is content that a description names; what records of its versions name keeps nothing alive but what their open session does.
 * - Code of a run is a writer whose session is released with the run, which is giving up its run here.
 * - A hit that is recorded is a clone; a hit whose value is saved by the caller looks for content as any other save.
 * - A record that cannot be read stops its reader, writer or collector, which is the same as its death.
 */
export function exploreCollection(
  configuration: Configuration,
  { without = [], limit = 4_000_000 }: { without?: readonly Rule[]; limit?: number } = {},
): Exploration {
  const layout = new Layout(configuration, without);
  return explore(
    layout.initial(),
    stepsOf,
    (state) => layout.isLost(state),
    limit,
    (state) => layout.keyOf(state),
  );

  function stepsOf(state: State): Step[] {
    const steps: Step[] = [];
    const go = (label: string, change: (after: State) => void): void => {
      const after = state.slice();
      change(after);
      steps.push([label, after]);
    };
    const root = get(state, ROOT);
    if (root !== GIVEN_UP && root !== BEFORE_ERASURE) go('the old run is given up', put(ROOT, GIVEN_UP));
    if (configuration.tables && root === STANDS) go('the old run is purged', put(ROOT, IS_PURGED));
    for (let name = 1; name <= get(state, LATE); name <<= 1) {
      if ((get(state, LATE) & name) === 0) continue;
      go(`a delete of ${name} takes effect late`, (s) => {
        s[LATE] = get(s, LATE) & ~name;
        layout.remove(s, name);
      });
    }
    for (let i = 0; i < configuration.writers; i++) writerSteps(layout, state, i, go);
    for (let i = 0; i < configuration.collectors; i++) collectorSteps(layout, state, i, go);
    return steps;
  }
}
