import { format } from 'node:util';
import type { OpenAttempt } from '../attempts/open-attempt.ts';

/** The most characters that may wait to be written; lines beyond are dropped. */
const MAX_WAITING = 8 * 1024 * 1024;

/**
 * Writes what a task logs while it runs to `task`/`stdout` of its attempt. Lines are gathered and written as they come;
 * the task never waits for them.
 */
export class TaskLog {
  readonly #attempt: OpenAttempt;
  #waiting: string[] = [];
  #waitingLength = 0;
  #dropped = 0;
  #wake: (() => void) | undefined;
  #isEnded = false;
  #written: Promise<void> | undefined;

  constructor(attempt: OpenAttempt) {
    this.#attempt = attempt;
  }

  /** Adds a line, formatted as `console.log` does. What comes after the end is dropped. */
  write(...values: unknown[]): void {
    if (this.#isEnded) return;
    const line = `${formatted(values)}\n`;
    if (this.#waitingLength + line.length > MAX_WAITING) this.#dropped += 1;
    else {
      this.#waiting.push(line);
      this.#waitingLength += line.length;
    }
    this.#written ??= this.#begin();
    this.#wake?.();
  }

  /** Resolves when all was written; throws what kept it from being written. */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#wake?.();
    await this.#written;
  }

  #begin(): Promise<void> {
    const written = this.#attempt.saveLogs('task', { stdout: this.#lines() });
    written.catch(() => {}); // told by end()
    return written;
  }

  async *#lines(): AsyncGenerator<string> {
    for (;;) {
      if (this.#waiting.length > 0 || this.#dropped > 0) {
        const text = this.#waiting.join('') + this.#droppedNote();
        this.#waiting = [];
        this.#waitingLength = 0;
        yield text;
      } else if (this.#isEnded) {
        return;
      } else {
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
        this.#wake = undefined;
      }
    }
  }

  #droppedNote(): string {
    if (this.#dropped === 0) return '';
    const note = `[${this.#dropped} lines were dropped: they were too long, or came faster than they could be written]\n`;
    this.#dropped = 0;
    return note;
  }
}

/** A value that cannot be printed is no fault of the task that prints it. */
function formatted(values: unknown[]): string {
  try {
    return format(...values);
  } catch {
    return '[a value that cannot be printed]';
  }
}
