import { setMaxListeners } from 'node:events';
import { onAbort, ownSignal } from './on-abort.ts';

/** A signal, or a call that has one. */
export type AbortSource = AbortSignal | LinkedAbort;

/**
 * The end of one call: aborted by itself, or with what the caller gave (`AbortSignal.any` keeps memory for as long as its source
 * lives). To be released when the call has ended. Its signal is made once somebody asks for it: making one is a twentieth of a hit.
 */
export class LinkedAbort {
  readonly #callbacks = new Set<() => void>();
  #own: AbortController | undefined;
  #aborted: { reason: unknown } | undefined;
  #unlink: (() => void) | undefined;

  constructor(source?: AbortSource) {
    this.link(source);
  }

  /** Is aborted with `source` from now on, until it is released. */
  link(source: AbortSource | undefined): void {
    if (source?.aborted) this.abort(source.reason);
    else if (source) this.#unlink = whenAborted(source, () => this.abort(source.reason));
  }

  get signal(): AbortSignal {
    if (!this.#own) {
      this.#own = new AbortController();
      setMaxListeners(0, this.#own.signal);
      ownSignal(this.#own.signal, this);
      if (this.#aborted) this.#own.abort(this.#aborted.reason);
    }
    return this.#own.signal;
  }

  get aborted(): boolean {
    return this.#aborted !== undefined;
  }

  /** The reason that the signal has. */
  get reason(): unknown {
    return this.signal.reason;
  }

  /** Calls back, once, when it is aborted; until the returned function is called. It may not be aborted yet. */
  onAbort(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  abort(reason?: unknown): void {
    if (this.#aborted) return;
    this.#aborted = { reason };
    this.#own?.abort(reason);
    for (const callback of this.#callbacks) callback();
    this.#callbacks.clear();
  }

  release(): void {
    this.#unlink?.();
    this.#unlink = undefined;
  }
}

/** As {@link onAbort}, of either kind. */
export function whenAborted(source: AbortSource, callback: () => void): () => void {
  return source instanceof LinkedAbort ? source.onAbort(callback) : onAbort(source, callback);
}
