import { LinkedAbort } from './linked-abort.ts';
import { orAborted } from './next-or-aborted.ts';
import { currentWork, noteWait, type Work, wayTo, within } from './work.ts';

/** Work that several callers wait for. */
interface Flight<T> extends Work {
  result: Promise<T>;
  waiting: number;
  abort: LinkedAbort;
}

/** The options of joining a flight. */
export interface FlightOptions {
  signal: AbortSignal | undefined;
  /** The name that an error has for the work. Default: its key. */
  title?: string;
  /**
   * The error of a call that would wait for itself, by way of the works that are named, each of which waits for the next. Default: the
   * work runs nothing that could.
   */
  circular?: (titles: readonly string[]) => Error;
}

/**
 * Runs identical calls of one process once. A caller that is aborted leaves the others to wait; the work itself is aborted when
 * nobody waits for it any more, and is not joined from then on. Work that would join what waits for it is refused: all of them would wait
 * for ever.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * Begins `work`, or joins it, and resolves to its result.
   *
   * @param work - an async function. It may call `seal`: later calls do not join it any more, and begin work of their own.
   * @throws StowageError `ABORTED`, what `circular` makes, and what `work` throws
   */
  async run(
    key: string,
    work: (call: LinkedAbort, seal: () => void) => Promise<T>,
    { signal, title = key, circular }: FlightOptions,
  ): Promise<T> {
    const waiter = currentWork();
    const joined = this.#flights.get(key);
    const circle = joined && waiter && wayTo(waiter, joined);
    if (circle && circular) throw circular(circle.map((flight) => flight.title));
    const flight = joined ?? this.#begin(key, work, { title, outer: waiter });
    const endWait = noteWait(waiter, flight);
    flight.waiting += 1;
    try {
      return await orAborted(() => flight.result, signal);
    } finally {
      endWait();
      flight.waiting -= 1;
      if (flight.waiting === 0 && !flight.isOver) {
        this.#leave(key, flight);
        flight.abort.abort(signal?.reason);
      }
    }
  }

  #begin(
    key: string,
    work: (call: LinkedAbort, seal: () => void) => Promise<T>,
    who: Pick<Work, 'title' | 'outer'>,
  ): Flight<T> {
    const abort = new LinkedAbort();
    let begin: (result: Promise<T>) => void = () => {};
    const result = new Promise<T>((resolve) => {
      begin = resolve;
    });
    const flight: Flight<T> = {
      ...who,
      waits: new Set(),
      result,
      waiting: 0,
      isOver: false,
      abort,
    };
    this.#flights.set(key, flight);
    begin(within.run(flight, work, abort, () => this.#leave(key, flight)));
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
