import { setMaxListeners } from 'node:events';
import { onAbort } from './on-abort.ts';

/**
 * The signal of one call: aborted by itself, or with the signal that the caller gave (`AbortSignal.any` keeps memory for as
 * long as its source lives). To be released when the call has ended.
 */
export class LinkedAbort {
  readonly #own = new AbortController();
  readonly #unlink: (() => void) | undefined;

  constructor(source: AbortSignal | undefined) {
    setMaxListeners(0, this.#own.signal);
    if (source?.aborted) this.#own.abort(source.reason);
    else if (source) this.#unlink = onAbort(source, () => this.abort(source.reason));
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  abort(reason?: unknown): void {
    this.#own.abort(reason);
  }

  release(): void {
    this.#unlink?.();
  }
}
