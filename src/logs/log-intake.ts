import { clearTimeout, setTimeout } from 'node:timers';
import { invalidArgument, type StowageError, throwIfAborted } from '../errors.ts';
import type { CallOptions } from '../storage/contract.ts';
import { kindOf, type LogSource } from './log-streams.ts';

/** So much of a stream is gathered before it is written. */
export const GATHERED_BYTES: number = 1024 * 1024;
const FIRST_BUFFER_BYTES = 16 * 1024;
const NOTHING = new Uint8Array(0);

/** The result of a read of the source. */
type Arrival = { result: IteratorResult<unknown> } | { error: unknown };

/**
 * Takes in a stream, and says when there is enough to be written, or something has waited for long enough. It reads
 * one piece ahead and gathers at most 1 MiB, so that a source that is faster than the storage has to wait.
 */
export class LogIntake {
  readonly #stream: string;
  readonly #source: LogSource;
  readonly #flushMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #text = new Utf8Pieces();
  #buffer = NOTHING;
  /** So much of the buffer is filled. */
  #bytes = 0;
  /** The rest of the piece that is being gathered. */
  #rest: Uint8Array = NOTHING;
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  #isReading = false;
  #arrived: Arrival | undefined;
  /** The source ended, by itself or by an error. */
  #isSpent = false;
  /** Nothing more is taken from the source. */
  #isOver = false;
  #failure: { error: unknown } | undefined;
  #wake = (): void => {};
  readonly #onAbort = (): void => this.#wake();

  constructor(stream: string, source: LogSource, flushMs: number, { signal }: CallOptions) {
    this.#stream = stream;
    this.#source = source;
    this.#flushMs = flushMs;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /**
   * Waits until there is something to {@link take}; `false` once all was taken.
   *
   * @throws what the source throws, once all that came before was taken; StowageError `ABORTED` at once,
   * `INVALID_ARGUMENT`.
   */
  async fill(): Promise<boolean> {
    while (true) {
      throwIfAborted(this.#signal);
      this.#gather();
      if (this.#isDue || this.#bytes === GATHERED_BYTES) return true;
      if (this.#arrived) {
        this.#accept(this.#arrived);
      } else if (this.#isOver) {
        this.#rest = this.#text.end();
        if (this.#rest.length > 0) continue;
        if (this.#bytes > 0) return true;
        if (this.#failure) throw this.#failure.error;
        return false;
      } else {
        this.#read();
        // A promise for each wait: one that lives as long as the stream would remember every piece that it was
        // raced with.
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** The gathered bytes, valid until the next {@link fill}. May be empty, if it was dropped meanwhile. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#bytes);
    this.#bytes = 0;
    this.#isDue = false;
    clearTimeout(this.#timer);
    return taken;
  }

  /** Forgets what was taken in and not written, and tells whether there was anything. */
  drop(): boolean {
    const isPiece = this.#arrived !== undefined && 'result' in this.#arrived && !this.#arrived.result.done;
    const hadSome = this.#bytes + this.#rest.length > 0 || isPiece;
    this.take();
    this.#rest = NOTHING;
    if (isPiece) this.#arrived = undefined;
    this.#wake();
    return hadSome;
  }

  /** Takes nothing more, as if the stream ended here. */
  stop(): void {
    this.#end();
    this.#wake();
  }

  /** Lets go of the source: tells it to end, unless it did. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    if (this.#isSpent || (this.#arrived && isLast(this.#arrived))) return;
    const stopped = this.#source.stop();
    // A source that is stuck in a read may be stuck in its end as well; nobody is left to hear how that went.
    if (this.#isReading) stopped.catch(() => {});
    else await stopped;
  }

  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const settle = (arrival: Arrival): void => {
      this.#isReading = false;
      this.#arrived = arrival;
      this.#wake();
    };
    this.#source.next().then(
      (result) => settle({ result }),
      (error: unknown) => settle({ error }),
    );
  }

  #accept(arrival: Arrival): void {
    this.#arrived = undefined;
    if (isLast(arrival)) {
      this.#isSpent = true;
      this.#end('error' in arrival ? arrival : undefined);
      return;
    }
    const { value } = arrival.result;
    if (typeof value === 'string' || value instanceof Uint8Array) this.#rest = this.#text.encode(value);
    else this.#end({ error: invalidPiece(this.#stream, value) });
  }

  #end(failure?: { error: unknown }): void {
    this.#isOver = true;
    this.#failure ??= failure;
  }

  /** Copies as much of the piece as fits: the source may reuse its memory. */
  #gather(): void {
    const bytes = Math.min(this.#rest.length, GATHERED_BYTES - this.#bytes);
    if (bytes === 0) return;
    this.#makeRoomFor(this.#bytes + bytes);
    this.#buffer.set(this.#rest.subarray(0, bytes), this.#bytes);
    if (this.#bytes === 0) this.#startTimer();
    this.#bytes += bytes;
    this.#rest = this.#rest.subarray(bytes);
  }

  #makeRoomFor(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const larger = Math.max(bytes, 2 * this.#buffer.length, FIRST_BUFFER_BYTES);
    const buffer = new Uint8Array(Math.min(larger, GATHERED_BYTES));
    buffer.set(this.#buffer.subarray(0, this.#bytes));
    this.#buffer = buffer;
  }

  #startTimer(): void {
    this.#timer = setTimeout(() => {
      this.#isDue = true;
      this.#wake();
    }, this.#flushMs);
  }
}

/** Encodes pieces of one text. A character that two pieces share is written once it is whole. */
class Utf8Pieces {
  /** The first half of a surrogate pair. */
  #half = '';

  encode(piece: string | Uint8Array): Uint8Array {
    if (piece.length === 0) return NOTHING;
    if (typeof piece !== 'string') return this.#half === '' ? piece : Buffer.concat([this.end(), piece]);
    const text = this.#half + piece;
    const last = text.charCodeAt(text.length - 1);
    this.#half = last >= 0xd800 && last < 0xdc00 ? text.slice(-1) : '';
    return Buffer.from(this.#half === '' ? text : text.slice(0, -1));
  }

  /** Encodes a half that no second one came for: as U+FFFD, like any half pair. */
  end(): Uint8Array {
    const half = Buffer.from(this.#half);
    this.#half = '';
    return half;
  }
}

function isLast(arrival: Arrival): arrival is { error: unknown } | { result: IteratorReturnResult<unknown> } {
  return 'error' in arrival || arrival.result.done === true;
}

function invalidPiece(stream: string, piece: unknown): StowageError {
  return invalidArgument(
    `The log stream ${stream} yielded ${kindOf(piece)}, which is neither text nor bytes. What came before it was logged, and stays.`,
    { stream },
  );
}
