/** The change of a part of a value. */
export interface PathChange {
  /** The path from the value on: `auc`, `layers[3].activation`; empty for the value itself. An index counts in what it was found in. */
  path: string;
  change: 'added' | 'removed' | 'changed';
  /** The value before; absent if it was added. */
  a?: unknown;
  /** The value now; absent if it was removed. */
  b?: unknown;
  /** The change of a part that is told as a whole. */
  note?: string;
}

/** The changes of a value: all are counted, and the first few kept. */
export class Changes {
  readonly shown: PathChange[] = [];
  total = 0;
  /** So many are kept. */
  readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  add(change: PathChange): void {
    this.total += 1;
    if (this.shown.length < this.limit) this.shown.push(change);
  }
}
