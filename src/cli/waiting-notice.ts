import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { RetryMessage } from '../storage/retry-report.ts';

/** Nothing is said for so long. */
const PATIENCE_MS = 3_000;
/** A line at most in this time. */
const EVERY_MS = 15_000;
const LOOK_EVERY_MS = 500;
/** A body is on its way before there can be an answer: what slow lines take for it. */
const BODY_BYTES_PER_MS = 256;

/** A message of Node.js about a request of HTTP. */
interface RequestMessage {
  request: ClientRequest;
}

/** A request that has no answer yet. */
interface Unanswered {
  madeAt: number;
  /** The number of looks at it. While this process is busy nobody looks, and an answer may lie there unread. */
  looks: number;
}

/**
 * Says on the standard error why a command stands still: a server that leaves requests without an answer, or calls of a
 * storage that fail and are tried again. The end of a request that nobody answers is a minute away, so that retries alone
 * would tell it late.
 */
export class WaitingNotice {
  readonly #note: (text: string) => void;
  readonly #unanswered = new Map<ClientRequest, Unanswered>();
  /** Calls that fail, with when they first did. */
  readonly #failing = new Map<string, number>();
  #toldAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(note: (text: string) => void) {
    this.#note = note;
    subscribe('stowage:retrying', this.#onRetry);
    subscribe('http.client.request.start', this.#onRequest);
    subscribe('http.client.response.finish', this.#onAnswer);
  }

  /** Says nothing more. */
  end(): void {
    unsubscribe('stowage:retrying', this.#onRetry);
    unsubscribe('http.client.request.start', this.#onRequest);
    unsubscribe('http.client.response.finish', this.#onAnswer);
    clearInterval(this.#timer);
  }

  readonly #onRetry = (message: unknown): void => {
    const { operation, name, attempt, delayMs, error } = message as RetryMessage;
    const now = performance.now();
    const call = `${operation} ${name}`;
    if (attempt === 1) this.#failing.set(call, now);
    const firstAt = this.#failing.get(call) ?? now;
    if (now + delayMs - firstAt >= PATIENCE_MS) this.#tell(`${whatFails(error)}, trying again`);
  };

  readonly #onRequest = (message: unknown): void => {
    const { request } = message as RequestMessage;
    this.#unanswered.set(request, { madeAt: performance.now(), looks: 0 });
    request.once('close', () => this.#forget(request));
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  };

  readonly #onAnswer = (message: unknown): void => this.#forget((message as RequestMessage).request);

  #forget(request: ClientRequest): void {
    this.#unanswered.delete(request);
    if (this.#unanswered.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const now = performance.now();
    for (const [request, unanswered] of this.#unanswered) {
      unanswered.looks += 1;
      const patienceMs = PATIENCE_MS + bodyBytesOf(request) / BODY_BYTES_PER_MS;
      if (unanswered.looks * LOOK_EVERY_MS < patienceMs) continue;
      const seconds = Math.floor((now - unanswered.madeAt) / 1000);
      this.#tell(`${request.getHeader('host')} has not answered for ${seconds} seconds, still waiting`);
    }
  }

  #tell(text: string): void {
    const now = performance.now();
    if (now - this.#toldAt < EVERY_MS) return;
    this.#toldAt = now;
    this.#note(text);
  }
}

function bodyBytesOf(request: ClientRequest): number {
  const bytes = Number(request.getHeader('content-length'));
  return Number.isFinite(bytes) ? bytes : 0;
}

/** Tells in few words: the whole error is told if the call is given up. */
function whatFails({ message, details }: RetryMessage['error']): string {
  const { place, status, cause } = details;
  if (typeof place !== 'string') return message.slice(0, 200).replace(/\.$/, '');
  const host = place.replace(/^.* at /, '');
  if (status !== undefined) return `${host} answers with HTTP ${status}`;
  return cause === undefined ? `${host} fails` : `${host} does not answer (${cause})`;
}
