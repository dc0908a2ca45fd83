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

/** The owner of a signal, who is the only one to abort it. */
interface SignalOwner {
  onAbort(callback: () => void): () => void;
}

const waitingFor = new WeakMap<AbortSignal, Waiting>();
const owners = new WeakMap<AbortSignal, SignalOwner>();

/** Has the owner of a signal call back who waits for it: to add a listener and remove it takes 17,000 instructions. */
export function ownSignal(signal: AbortSignal, owner: SignalOwner): void {
  owners.set(signal, owner);
}

/**
 * Calls back, once, when a signal that is not aborted yet is aborted; until the returned function is called. However many wait
 * for a signal it has one listener: Node.js warns of a leak from eleven on, though it be the signal of a hundred calls.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const owner = owners.get(signal);
  if (owner) return owner.onAbort(callback);
  let waiting = waitingFor.get(signal);
  if (!waiting) {
    waiting = new Waiting(signal);
    waitingFor.set(signal, waiting);
  }
  const joined = waiting;
  joined.add(callback);
  return () => joined.remove(callback);
}
