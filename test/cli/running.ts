import { Writable } from 'node:stream';
import { type End, runCli } from '../../src/cli/run-cli.ts';

/** Where a command writes: it keeps what it is given, and tells who waits for it. */
class Watched extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly #waiting = new Set<() => void>();

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.text += piece.toString();
    for (const look of this.#waiting) look();
    done();
  }

  /** Resolves once all of `text` was written. */
  has(text: string): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.text.includes(text)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** A command that runs. */
export interface Running {
  stdout: Watched;
  stderr: Watched;
  /** The exit code. */
  ended: Promise<number>;
  /** Ctrl-C. */
  interrupt(): void;
}

/** Starts `stowage` on a store, all of it but its process; its output is a terminal if it should be. */
export function startStowage(
  store: string | undefined,
  args: readonly string[],
  { isTerminal = false } = {},
): Running {
  const [stdout, stderr] = [new Watched(isTerminal), new Watched(isTerminal)];
  const ending = new AbortController();
  const all = store === undefined ? args : [...args, '--store', store];
  const ended = runCli([...all, '--no-color'], { stdout, stderr }, ending.signal);
  return { stdout, stderr, ended, interrupt: () => ending.abort('interrupted' satisfies End) };
}
