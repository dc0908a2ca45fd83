/** A state of a model: small numbers, each with a meaning of its own. */
export type State = number[];

/** A step that may be taken: its name, and the state after it. */
export type Step = readonly [label: string, after: State];

/** What came of an exploration. */
export interface Exploration {
  /** Different states that were seen. */
  states: number;
  /** The steps that lead to a loss, the fewest there are; absent where none does. */
  loss?: string[];
  /** There were more states than the limit. */
  isCut: boolean;
  /** The steps that led to new states. */
  labels: Set<string>;
}

/**
 * Takes every step in every state, breadth first, until nothing new comes or something is lost. Whoever stops for good (a crash) is one of
 * the interleavings: the others go on without it. `keyOf` tells states apart; of several with one key, the one that has it as its text is
 * gone on from.
 */
export function explore(
  initial: State,
  stepsOf: (state: State) => Step[],
  isLost: (state: State) => boolean,
  limit: number,
  keyOf: (state: State) => string = textOf,
): Exploration {
  // A set is gone through in the order of what was added, also while that goes on: it is the queue as well.
  const seen = new Set([keyOf(initial)]);
  const parents = [-1];
  const labels = [''];
  /** Each label once: there are few, of millions of steps. */
  const known = new Map<string, string>();
  let number = -1;
  for (const text of seen) {
    number += 1;
    for (const [label, after] of stepsOf(stateOf(text))) {
      const key = keyOf(after);
      if (seen.has(key)) continue;
      seen.add(key);
      parents.push(number);
      if (!known.has(label)) known.set(label, label);
      labels.push(known.get(label) as string);
      if (!isLost(after)) continue;
      const loss = wayTo(parents.length - 1, parents, labels);
      return { states: seen.size, loss, isCut: false, labels: new Set(labels) };
    }
    if (seen.size > limit) return { states: seen.size, isCut: true, labels: new Set(labels) };
  }
  return { states: seen.size, isCut: false, labels: new Set(labels) };
}

/** Tells a state from every other one. */
export function textOf(state: State): string {
  return String.fromCharCode(...state);
}

function stateOf(text: string): State {
  const state: State = new Array(text.length);
  for (let at = 0; at < text.length; at++) state[at] = text.charCodeAt(at);
  return state;
}

function wayTo(number: number, parents: readonly number[], labels: readonly string[]): string[] {
  const way: string[] = [];
  for (let at = number; at > 0; at = parents[at] as number) way.unshift(labels[at] as string);
  return way;
}
