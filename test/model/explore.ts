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
 * the interleavings: the others go on without it.
 */
export function explore(
  initial: State,
  stepsOf: (state: State) => Step[],
  isLost: (state: State) => boolean,
  limit: number,
): Exploration {
  const seen = new Map<string, number>([[keyOf(initial), 0]]);
  const parents = [-1];
  const labels = [''];
  let waiting: State[] = [initial];
  let numbers = [0];
  while (waiting.length > 0) {
    const next: State[] = [];
    const nextNumbers: number[] = [];
    for (let at = 0; at < waiting.length; at++) {
      for (const [label, after] of stepsOf(waiting[at] as State)) {
        const key = keyOf(after);
        if (seen.has(key)) continue;
        const number = parents.length;
        seen.set(key, number);
        parents.push(numbers[at] as number);
        labels.push(label);
        if (isLost(after)) {
          const loss = wayTo(number, parents, labels);
          return { states: seen.size, loss, isCut: false, labels: new Set(labels) };
        }
        next.push(after);
        nextNumbers.push(number);
      }
      if (seen.size > limit) return { states: seen.size, isCut: true, labels: new Set(labels) };
    }
    [waiting, numbers] = [next, nextNumbers];
  }
  return { states: seen.size, isCut: false, labels: new Set(labels) };
}

function keyOf(state: State): string {
  return String.fromCharCode(...state);
}

function wayTo(number: number, parents: readonly number[], labels: readonly string[]): string[] {
  const way: string[] = [];
  for (let at = number; at > 0; at = parents[at] as number) way.unshift(labels[at] as string);
  return way;
}
