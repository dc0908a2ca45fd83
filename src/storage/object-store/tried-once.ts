import { orAborted } from '../../async/next-or-aborted.ts';

/** Trials of a server, each made once for all calls that need it, and again only after it failed. */
export class TriedOnce {
  readonly #tried = new Map<() => Promise<void>, Promise<void>>();

  /**
   * Waits for a trial, of which the first call is the beginning. It belongs to no call: whoever stops waiting leaves it to the others.
   *
   * @throws StowageError `ABORTED`; and what the trial throws
   */
  async ensure(trial: () => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    let trying = this.#tried.get(trial);
    if (!trying) {
      trying = trial();
      this.#tried.set(trial, trying);
      trying.catch(() => this.#tried.delete(trial));
    }
    const result = trying;
    await orAborted(() => result, signal);
  }
}
