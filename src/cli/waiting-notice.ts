import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RetryMessage } from '../storage/retry-report.ts';

/** Nothing is said for so long. */
const PATIENCE_MS = 3_000;
/** A line at most in this time. */
const EVERY_MS = 15_000;
const LOOK_EVERY_MS = 500;
/** A body is on its way before a call ends: what slow lines take for it. */
const BODY_BYTES_PER_MS = 256;

/** A call of a storage that has not ended. */
interface PendingCall {
  /** The server, or the address of the storage. */
  place: string;
  patienceMs: number;
  startedAt: number;
  /** The number of looks at it. While this process is busy nobody looks, and an answer may lie there unread. */
  looks: number;
}

/**
 * Says on the standard error why a command stands still: a storage that leaves calls without an answer, or calls that fail and
 * are tried again. A call that nobody answers ends a minute later, so that retries alone would tell it late.
 */
export class WaitingNotice {
  readonly #note: (text: string) => void;
  readonly #pending = new Set<PendingCall>();
  /** Calls that fail, with when they first did. */
  readonly #failing = new Map<string, number>();
  #toldAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(note: (text: string) => void) {
    this.#note = note;
    subscribe('stowage:retrying', this.#onRetry);
  }

  /** Watches a call until the function that it returns is called. `bytes` is the most that it may have to move. */
  begin(place: string, bytes: number): () => void {
    const patienceMs = PATIENCE_MS + bytes / BODY_BYTES_PER_MS;
    const call: PendingCall = { place, patienceMs, startedAt: performance.now(), looks: 0 };
    this.#pending.add(call);
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    return () => {
      this.#pending.delete(call);
      if (this.#pending.size === 0) this.#stopLooking();
    };
  }

  /** Says nothing more. */
  end(): void {
    unsubscribe('stowage:retrying', this.#onRetry);
    this.#stopLooking();
  }

  readonly #onRetry = (message: unknown): void => {
    const { operation, name, attempt, delayMs, error } = message as RetryMessage;
    const now = performance.now();
    const call = `${operation} ${name}`;
    if (attempt === 1) this.#failing.set(call, now);
    const firstAt = this.#failing.get(call) ?? now;
    if (now + delayMs - firstAt >= PATIENCE_MS) this.#tell(`${whatFails(error)}, trying again`);
    // The wait for an answer begins anew with the next try.
    for (const pending of this.#pending) {
      pending.startedAt = now + delayMs;
      pending.looks = -delayMs / LOOK_EVERY_MS;
    }
  };

  #look(): void {
    const now = performance.now();
    for (const call of this.#pending) {
      call.looks += 1;
      if (call.looks * LOOK_EVERY_MS < call.patienceMs) continue;
      const seconds = Math.floor((now - call.startedAt) / 1000);
      this.#tell(`${call.place} has not answered for ${seconds} seconds, still waiting`);
    }
  }

  #stopLooking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tell(text: string): void {
    const now = performance.now();
    if (now - this.#toldAt < EVERY_MS) return;
    this.#toldAt = now;
    this.#note(text);
  }
}

/** Tells in few words: the whole error is told if the call is given up. */
function whatFails({ message, details }: RetryMessage['error']): string {
  const { address, place = address, status, cause } = details;
  if (typeof place !== 'string') return message.slice(0, 200).replace(/\.$/, '');
  const host = place.replace(/^.* at /, '');
  if (status !== undefined) return `${host} answers with HTTP ${status}`;
  return cause === undefined ? `${host} fails` : `${host} does not answer (${cause})`;
}
