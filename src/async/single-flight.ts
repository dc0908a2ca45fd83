import { orAborted } from './next-or-aborted.ts';

/** Work that several callers wait for. */
interface Flight<T> {
  result: Promise<T>;
  waiting: number;
  isOver: boolean;
  controller: AbortController;
}

/**
 * Runs identical calls of one process once. A caller that is aborted leaves the others to wait; the work itself is aborted when
 * nobody waits for it any more, and is not joined from then on.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * Begins `work`, or joins it, and resolves to its result.
   *
   * @param work - an async function. It may call `seal`: later calls do not join it any more, and begin work of their own.
   * @throws StowageError `ABORTED`, and what `work` throws
   */
  async run(
    key: string,
    work: (signal: AbortSignal, seal: () => void) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const flight = this.#flights.get(key) ?? this.#begin(key, work);
    flight.waiting += 1;
    try {
      return await orAborted(() => flight.result, signal);
    } finally {
      flight.waiting -= 1;
      if (flight.waiting === 0 && !flight.isOver) {
        this.#leave(key, flight);
        flight.controller.abort(signal?.reason);
      }
    }
  }

  #begin(key: string, work: (signal: AbortSignal, seal: () => void) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    let begin: (result: Promise<T>) => void = () => {};
    const result = new Promise<T>((resolve) => {
      begin = resolve;
    });
    const flight: Flight<T> = { result, waiting: 0, isOver: false, controller };
    this.#flights.set(key, flight);
    begin(work(controller.signal, () => this.#leave(key, flight)));
    const land = (): void => {
      flight.isOver = true;
      this.#leave(key, flight);
    };
    // Also when everybody has gone: what the work threw then is nobody's.
    result.then(land, land);
    return flight;
  }

  /** Lets nobody join any more. */
  #leave(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
