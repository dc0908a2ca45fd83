import { thrownText } from '../errors.ts';

/** The progress of a long call. */
export interface Progress {
  /** Bytes of content that are done: stored, found to be stored already, or loaded. Never falls. */
  bytesDone: number;
  /** The bytes that the call has to do, once they are known; `undefined` before that, and for streams. */
  bytesTotal: number | undefined;
  /** Artifacts, contents or attempts that are done. Never falls. */
  itemsDone: number;
  /** Those that the call has to do, once they are known. */
  itemsTotal: number | undefined;
  /** The rate of the last few seconds. */
  bytesPerSecond: number;
  /** The time since the call began, in milliseconds. */
  elapsedMs: number;
}

/** Options of calls that tell how far they are. */
export interface ProgressOptions<P extends Progress = Progress> {
  /**
   * Is told how far the call is: every 100 ms at most, and once at the end of a call that succeeds; never after the call has settled.
   * What it throws does not touch the call: it is told by a warning (`STOWAGE_PROGRESS_FAILED`), and the listener is told nothing more.
   * Default: nobody.
   */
  onProgress?: ((progress: P) => void) | undefined;
}

/** The part of a call's work that is done and to be done, as those who do it count it. */
export interface WorkCount {
  bytes?: number | undefined;
  items?: number | undefined;
}

/** Is told of work that is done. */
export interface WorkCounter {
  /** The work of the call is known. */
  expect(total: WorkCount): void;
  /** Counts bytes that are done. */
  add(bytes: number): void;
  /** Counts an item whose bytes were counted. */
  itemDone(): void;
}

const EVERY_MS = 100;
/** The rate is that of so long, or since the last time that was told where that is longer ago. */
const RATE_MS = 3_000;

/** Counts what a call has done, and tells a listener. After its end it counts for nobody. */
export class ProgressMeter<P extends Progress = Progress> implements WorkCounter {
  readonly #listener: (progress: P) => void;
  readonly #call: string;
  readonly #complete: (progress: Progress) => P;
  readonly #startedAt: number = performance.now();
  #toldAt: number = this.#startedAt;
  #bytes = 0;
  #items = 0;
  #total: WorkCount = {};
  /** What was told, from the newest that is older than the window on. */
  #told: { atMs: number; bytes: number }[] = [{ atMs: this.#startedAt, bytes: 0 }];
  #isOver = false;

  /**
   * @param call - how the caller wrote it: `saveArtifacts`
   * @param complete - adds what the progress of this call has beside
   */
  constructor(listener: (progress: P) => void, call: string, complete: (progress: Progress) => P) {
    this.#listener = listener;
    this.#call = call;
    this.#complete = complete;
  }

  expect(total: WorkCount): void {
    this.#total = { ...this.#total, ...total };
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    this.touch();
  }

  itemDone(): void {
    this.#items += 1;
    this.touch();
  }

  /** Tells the listener, unless it was told just now. */
  touch(): void {
    const now = performance.now();
    if (now - this.#toldAt >= EVERY_MS) this.#tell(now);
  }

  /** The call has succeeded: tells that. */
  succeed(): void {
    this.#tell(performance.now());
    this.stop();
  }

  /** The call is over; what still goes on behind it is told to nobody. */
  stop(): void {
    this.#isOver = true;
  }

  #tell(now: number): void {
    if (this.#isOver) return;
    this.#toldAt = now;
    this.#told.push({ atMs: now, bytes: this.#bytes });
    while ((this.#told[1]?.atMs ?? now) <= now - RATE_MS) this.#told.shift();
    const since = this.#told[0] as { atMs: number; bytes: number };
    const seconds = (now - since.atMs) / 1000;
    const progress = {
      bytesDone: this.#bytes,
      bytesTotal: this.#total.bytes,
      itemsDone: this.#items,
      itemsTotal: this.#total.items,
      bytesPerSecond: seconds > 0 ? Math.round((this.#bytes - since.bytes) / seconds) : 0,
      elapsedMs: Math.round(now - this.#startedAt),
    };
    try {
      const answer: unknown = this.#listener(this.#complete(progress));
      // An async function is no listener that can be waited for, but what it throws is not lost.
      if (answer instanceof Promise) answer.catch((error: unknown) => this.#listenerFailed(error));
    } catch (error) {
      this.#listenerFailed(error);
    }
  }

  #listenerFailed(error: unknown): void {
    this.stop();
    const message = `The onProgress listener of ${this.#call} threw: ${thrownText(error)}. It is told nothing more of this call, which goes on.`;
    const warning = new Error(message, { cause: error });
    process.emitWarning(Object.assign(warning, { name: 'StowageWarning', code: 'STOWAGE_PROGRESS_FAILED' }));
  }
}

/** Does the work of a call, and tells how far it is to a listener, if there is one. */
export function withProgress<T>(
  listener: ((progress: Progress) => void) | undefined,
  call: string,
  work: (progress: ProgressMeter | undefined) => Promise<T>,
): Promise<T> {
  const progress = meterOf(listener, call);
  return progress ? metered(progress, work) : work(undefined);
}

/** Counts for a listener, if there is one. The call ends it by `succeed`, and by `stop` whatever became of it. */
export function meterOf(
  listener: ((progress: Progress) => void) | undefined,
  call: string,
): ProgressMeter | undefined {
  return listener && new ProgressMeter(listener, call, (progress) => progress);
}

/** Does the work of a call that `progress` counts, and ends that before the call settles. */
async function metered<T>(
  progress: ProgressMeter,
  work: (progress: ProgressMeter) => Promise<T>,
): Promise<T> {
  try {
    const result = await work(progress);
    progress.succeed();
    return result;
  } finally {
    progress.stop();
  }
}

/** The pieces of one content, counted as they were taken. Where their reader stops early, nothing is told of an end. */
export async function* countPieces(
  pieces: AsyncIterable<Uint8Array>,
  listener: (progress: Progress) => void,
  call: string,
  bytesTotal: number | undefined,
): AsyncGenerator<Uint8Array> {
  const progress = new ProgressMeter(listener, call, (at: Progress) => at);
  progress.expect({ bytes: bytesTotal, items: 1 });
  try {
    yield* countTaken(pieces, progress);
    progress.itemDone();
    progress.succeed();
  } finally {
    progress.stop();
  }
}

/** Counts pieces once whoever takes them asks for the next. */
export async function* countTaken(
  pieces: AsyncIterable<Uint8Array>,
  progress: WorkCounter | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    yield piece;
    progress?.add(piece.length);
  }
}
