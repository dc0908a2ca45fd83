import { LinkedAbort } from '../../async/linked-abort.ts';
import { StowageError } from '../../errors.ts';
import { readableRange } from '../checks.ts';
import {
  type ByteRange,
  type CallOptions,
  DEFAULT_MAX_GET_BYTES,
  type GetOptions,
  type ObjectInfo,
  type StoredObject,
} from '../contract.ts';
import { type BucketCalls, Refused } from './calls.ts';
import type { BucketDriver, ObjectHead, Reading } from './driver.ts';
import { replacedMeanwhile } from './errors.ts';
import { type TransferBudget, transferParts } from './transfers.ts';

/** An object, by its name in the store and by its key: what the service calls it. */
export interface Target {
  name: string;
  key: string;
}

/** A part of what is read, and the answer that brings it, where there is one already. */
interface Part {
  offset: number;
  into: Uint8Array;
  answer?: Answer | undefined;
}

/** Carries past the repetitions of a step that the object is another one now: the call as a whole has to begin again. */
class Replaced {}

/** Reads objects: small ones by one request, large ones by ranges side by side. */
export class BucketReads {
  readonly #driver: BucketDriver;
  readonly #calls: BucketCalls;
  readonly #budget: TransferBudget;
  readonly #partBytes: number;

  constructor(driver: BucketDriver, calls: BucketCalls, budget: TransferBudget, partBytes: number) {
    this.#driver = driver;
    this.#calls = calls;
    this.#budget = budget;
    this.#partBytes = partBytes;
  }

  /**
   * The first request tells length and version, and brings bytes. If there are many more, others bring them at the same
   * time, of the same version. What is read whole is compared with its checksum, if the service has one.
   */
  async get(target: Target, options: GetOptions): Promise<StoredObject | undefined> {
    const wanted = this.#firstOf(target.name, options);
    if (wanted?.length === 0) return this.#getNothing(target, options);
    const answer = await this.#ask(target, options.signal, wanted);
    if (answer instanceof Refused) {
      return answer.refusal === 'missing' ? undefined : this.#getNothing(target, options);
    }
    try {
      const { reading } = answer;
      const range = readableRange(target.name, reading.bytes, options);
      const body = new Uint8Array(range.length);
      await this.#fillAll(target, answer, range, body, options);
      if (body.length === reading.bytes) await answer.read(() => reading.verify?.(body));
      return { ...infoOf(target.name, reading), body };
    } catch (error) {
      throw error instanceof Replaced ? replacedMeanwhile(target.name) : error;
    } finally {
      answer.end();
    }
  }

  async head(target: Target, options: CallOptions): Promise<ObjectInfo | undefined> {
    const head = await this.#headOf(target, options);
    if (!head) return undefined;
    this.#expectLength(target.name, head);
    return infoOf(target.name, head);
  }

  /** Tells whether the object there is now was left by that very write; `undefined` where there is none. */
  async isOwn(target: Target, writeId: string, options: CallOptions): Promise<boolean | undefined> {
    const head = await this.#headOf(target, options);
    return head && head.writeId === writeId;
  }

  /** An answer to HEAD has no body to say what is missing (object or bucket) or wrong (key or secret). One to GET has. */
  async #headOf(target: Target, { signal }: CallOptions): Promise<ObjectHead | undefined> {
    const head = await this.#calls.send(
      { operation: 'head', name: target.name, signal },
      (call) => this.#driver.head(target.key, call),
      'missing',
      'unexplained',
    );
    if (!(head instanceof Refused)) return head;
    const isMissing = head.failure.status === 404 && this.#calls.hasAnswered;
    if (head.refusal === 'missing' || isMissing) return undefined;
    const answer = await this.#ask(target, signal, { offset: 0, length: 1 });
    if (!(answer instanceof Refused)) {
      answer.end();
      return answer.reading;
    }
    if (answer.refusal === 'missing') return undefined;
    throw head.error;
  }

  /** A range without bytes, which HTTP has no way to ask for; all of an empty object is one. */
  async #getNothing(target: Target, options: GetOptions): Promise<StoredObject | undefined> {
    const info = await this.head(target, options);
    if (!info) return undefined;
    if (readableRange(target.name, info.bytes, options).length > 0) throw replacedMeanwhile(target.name);
    return { ...info, body: new Uint8Array(0) };
  }

  /** The range of the first request: no more than may be returned, and one part of what is longer than two. */
  #firstOf(name: string, { range, maxBytes = DEFAULT_MAX_GET_BYTES }: GetOptions): ByteRange | undefined {
    if (!range && this.#driver.limits.readsWhole) return undefined;
    const anything = { range, maxBytes: Number.MAX_SAFE_INTEGER };
    const { offset, length } = readableRange(name, Number.MAX_SAFE_INTEGER, anything);
    const first = length <= 2 * this.#partBytes ? length : this.#partBytes;
    return { offset, length: Math.min(first, Math.max(maxBytes, 1)) };
  }

  /** The answer brings the first part, even if it goes on after it. */
  async #fillAll(
    target: Target,
    answer: Answer,
    { offset }: ByteRange,
    body: Uint8Array,
    options: GetOptions,
  ): Promise<void> {
    const { length } = answer.reading;
    if (length === body.length && length <= 2 * this.#partBytes) return answer.fill(body);
    const stop = new LinkedAbort(options.signal);
    const repeat = options.repeatStep ?? ((step) => step());
    try {
      await transferParts({
        parts: partsOf(answer, offset, body, this.#partBytes),
        bytesOf: (part) => part.into.length,
        move: (part) => repeat(() => this.#fill(target, part, answer.reading.version, stop.signal)),
        budget: this.#budget,
        stop,
      });
    } finally {
      stop.release();
    }
  }

  /** A repeated step asks anew for what the first answer did not bring. */
  async #fill(target: Target, part: Part, version: string, signal: AbortSignal): Promise<void> {
    const { into, offset } = part;
    let { answer } = part;
    part.answer = undefined;
    if (!answer) {
      const next = await this.#ask(target, signal, { offset, length: into.length }, version);
      if (next instanceof Refused) throw new Replaced();
      answer = next;
    }
    try {
      await answer.fill(into);
    } finally {
      answer.end();
    }
  }

  async #ask(
    { name, key }: Target,
    signal: AbortSignal | undefined,
    range: ByteRange | undefined,
    ifVersion?: string,
  ): Promise<Answer | Refused> {
    const link = new LinkedAbort(signal);
    const request = { operation: 'get', name, signal, link };
    try {
      const reading = await this.#calls.send(
        request,
        (call) => this.#driver.read(key, { range, ifVersion }, call),
        'missing',
        'past the end',
        ...(ifVersion === undefined ? [] : (['refused'] as const)),
      );
      if (reading instanceof Refused) {
        link.release();
        return reading;
      }
      this.#checkSpan(name, range, reading);
      return new Answer(name, reading, (error) => this.#calls.errorOf(error, request), link);
    } catch (error) {
      link.abort();
      link.release();
      throw error;
    }
  }

  /** Looks at every answer, which is why reading by ranges needs no trial. */
  #checkSpan(name: string, asked: ByteRange | undefined, { offset, length, bytes }: Reading): void {
    const { place } = this.#driver;
    if (asked && !(offset === asked.offset && length <= asked.length)) {
      throw new StowageError(
        'STORAGE_UNSUPPORTED',
        `Asked for a part of "${name}", the server of ${place} gives another; use a server that can.`,
        { details: { name, asked, given: { offset, length } } },
      );
    }
    this.#expectLength(name, { bytes });
  }

  #expectLength(name: string, { bytes }: Pick<ObjectHead, 'bytes'>): void {
    if (Number.isSafeInteger(bytes)) return;
    throw new StowageError(
      'STORAGE_UNSUPPORTED',
      `The server of ${this.#driver.place} does not tell how long "${name}" is; use a server that does.`,
      { details: { name } },
    );
  }
}

/** The beginning of an answer, whose body is still to be read, or to be given up. */
class Answer {
  readonly #name: string;
  readonly reading: Reading;
  readonly #errorOf: (error: unknown) => unknown;
  readonly #link: LinkedAbort;
  #isAtEnd = false;

  constructor(name: string, reading: Reading, errorOf: (error: unknown) => unknown, link: LinkedAbort) {
    this.#name = name;
    this.reading = reading;
    this.#errorOf = errorOf;
    this.#link = link;
  }

  async read<T>(work: () => T): Promise<Awaited<T>> {
    try {
      return await work();
    } catch (error) {
      throw this.#errorOf(error);
    }
  }

  /**
   * Fills `into` with the body, or its beginning. A body is read to its end where it can be, so that its connection can be used again
   * and its checksum is compared. One of another length was cut short on its way, or is not what was asked for.
   */
  fill(into: Uint8Array): Promise<void> {
    const { body, length } = this.reading;
    return this.read(async () => {
      let received = 0;
      for await (const chunk of body) {
        if (received < into.length) into.set(chunk.subarray(0, into.length - received), received);
        received += chunk.length;
        if (received >= into.length && length > into.length) return;
      }
      if (received !== into.length) throw wrongLength(this.#name, received, into.length);
      this.#isAtEnd = true;
    });
  }

  /** Gives up what was not read, and its connection. */
  end(): void {
    if (!this.#isAtEnd) this.#link.abort();
    this.#isAtEnd = true;
    this.#link.release();
  }
}

function* partsOf(
  answer: Answer,
  offset: number,
  body: Uint8Array,
  partBytes: number,
): Generator<Part, void> {
  let at = Math.min(partBytes, answer.reading.length);
  yield { offset, into: body.subarray(0, at), answer };
  for (; at < body.length; at += partBytes) {
    yield { offset: offset + at, into: body.subarray(at, at + partBytes) };
  }
}

function infoOf(name: string, { bytes, modifiedAtMs, version }: ObjectHead): ObjectInfo {
  return { name, bytes, modifiedAtMs: wholeSeconds(modifiedAtMs), version };
}

/** Headers tell seconds only, other answers of some servers more; the time of an object must be the same everywhere. */
export function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}

function wrongLength(name: string, received: number, expected: number): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `The body of "${name}" has ${received} bytes instead of ${expected}: the connection broke. Try again.`,
    { details: { operation: 'get', name, received, expected } },
  );
}
