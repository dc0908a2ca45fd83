/** All that wait for a signal, called in turn by the one listener that it has. */
class Waiting {
  readonly #callbacks = new Set<() => void>();
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#callAll, { once: true });
  }

  add(callback: () => void): void {
    this.#callbacks.add(callback);
  }

  remove(callback: () => void): void {
    this.#callbacks.delete(callback);
    if (this.#callbacks.size > 0) return;
    this.#signal.removeEventListener('abort', this.#callAll);
    if (waitingFor.get(this.#signal) === this) waitingFor.delete(this.#signal);
  }

  readonly #callAll = (): void => {
    for (const callback of this.#callbacks) callback();
    this.#callbacks.clear();
  };
}

const waitingFor = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls back, once, when a signal that is not aborted yet is aborted; until the returned function is called. However many wait
 * for a signal it has one listener: Node.js warns of a leak from eleven on, though it be the signal of a hundred calls.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let waiting = waitingFor.get(signal);
  if (!waiting) {
    waiting = new Waiting(signal);
    waitingFor.set(signal, waiting);
  }
  const joined = waiting;
  joined.add(callback);
  return () => joined.remove(callback);
}
