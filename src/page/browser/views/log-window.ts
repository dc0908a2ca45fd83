/** A line of a log that is followed. */
export interface LogLine {
  /** Counts all lines from the first on: a key that stays. */
  number: number;
  /** The log that it is of: `fit/0/1 task stderr`. */
  log: string;
  text: string;
}

/** A piece of a log, as `stowage log --follow --json` prints it. */
export interface LogPiece {
  step: string;
  task: string;
  attempt: number;
  source: string;
  stream: string;
  text: string;
}

/** A line without an end takes no more than this; what is longer goes on in the next one. */
const MAX_LINE = 4_000;

/** The last lines of logs that grow, which are cut into lines each for itself. The older ones are given up. */
export class LogWindow {
  readonly #most: number;
  #lines: LogLine[] = [];
  #count = 0;
  /** The line of each log that has not ended. */
  readonly #unended = new Map<string, LogLine>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The lines that are kept, oldest first. */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** The number of lines that were given up. */
  get dropped(): number {
    return this.#count - this.#lines.length;
  }

  add({ step, task, attempt, source, stream, text }: LogPiece): void {
    const log = `${step}/${task}/${attempt} ${source} ${stream}`;
    const lines = text.split('\n');
    for (const [index, line] of lines.entries()) {
      const isEnded = index < lines.length - 1;
      for (const piece of cut(line)) {
        const open = this.#unended.get(log);
        if (open && open.text.length + piece.length <= MAX_LINE) open.text += piece;
        else if (piece !== '' || isEnded) this.#begin(log, piece);
      }
      if (isEnded) this.#unended.delete(log);
    }
    const excess = this.#lines.length - this.#most;
    if (excess > 0) this.#lines = this.#lines.slice(excess);
  }

  #begin(log: string, text: string): void {
    const line = { number: this.#count, log, text };
    this.#count += 1;
    this.#lines.push(line);
    this.#unended.set(log, line);
  }
}

/** A line in pieces of the longest that is shown. */
function cut(line: string): string[] {
  if (line.length <= MAX_LINE) return [line];
  return Array.from({ length: Math.ceil(line.length / MAX_LINE) }, (_, index) =>
    line.slice(index * MAX_LINE, (index + 1) * MAX_LINE),
  );
}
