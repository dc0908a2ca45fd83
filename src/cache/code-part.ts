/** Something that code depends on, by a digest that may change while the process runs. */
export interface CodePart {
  /** The digest as it is now, where nothing has to be read for it. */
  known(): string | undefined;
  /** The digest as it is now. */
  read(signal?: AbortSignal): Promise<string>;
}

const CODE_PART: unique symbol = Symbol.for('stowage.codePart') as never;

/** Has a function count by `part` where code depends on it, not by its source: a wrapper's is the same whatever it wraps. */
export function countBy<Fn extends object>(fn: Fn, part: CodePart): Fn {
  return Object.defineProperty(fn, CODE_PART, { value: part });
}

/** What a function says that it counts by. */
export function codePartOf(fn: object): CodePart | undefined {
  return (fn as { [CODE_PART]?: CodePart })[CODE_PART];
}
