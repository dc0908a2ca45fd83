import { compareNames } from '../../storage/name-order.ts';
import { SortedLines, type WorkFolder } from '../collection/sorted-lines.ts';

/** A line for an attempt, by the beginning of the names of its files, in the order of listings of files, logs, partial records and values. */
export function attemptLine(base: string): string {
  return `${base}.`;
}

/** The beginning of the names of an attempt's files, by an object of its logs, partial records or values. */
export function attemptBaseOf(name: string): string {
  const dot = name.indexOf('.', name.lastIndexOf('/'));
  return `flows/${name.slice(name.indexOf('/') + 1, dot)}`;
}

/** Orders runs as listings of attempts do. */
export function compareRuns(a: { flow: string; run: string }, b: { flow: string; run: string }): number {
  return compareNames(`${a.flow}/${a.run}/`, `${b.flow}/${b.run}/`);
}

/** The attempts that entries of the cache keep, one run after the other. */
export class KeptAttempts {
  readonly #folder: WorkFolder;
  readonly #lines: Iterator<string, void>;
  #next: string | undefined;

  constructor(keptAttempts: SortedLines, folder: WorkFolder) {
    this.#folder = folder;
    this.#lines = keptAttempts.sorted();
    this.#advance();
  }

  /** Those of one run. Runs are asked for in the order of {@link compareRuns}. */
  of({ flow, run }: { flow: string; run: string }): SortedLines {
    const prefix = `flows/${flow}/${run}/`;
    const ofRun = new SortedLines(this.#folder);
    while (this.#next !== undefined) {
      if (this.#next.startsWith(prefix)) ofRun.add(this.#next);
      else if (compareNames(this.#next, prefix) > 0) break;
      this.#advance();
    }
    return ofRun;
  }

  /** Frees what the lines are read from. */
  close(): void {
    this.#lines.return?.();
  }

  #advance(): void {
    this.#next = this.#lines.next().value ?? undefined;
  }
}
