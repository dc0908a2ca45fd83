import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import { isStream, readChunks } from '../../streams/body-stream.ts';
import { closedError } from '../checks.ts';
import type { CreateOptions, OverwriteOptions, RepeatStep } from '../contract.ts';
import { type BucketCall, type BucketCalls, Refused } from './calls.ts';
import { ConditionalWrites } from './conditional-writes.ts';
import type { BucketDriver, DriverCall, NewObject, PartPosition, PartsUpload } from './driver.ts';
import { preconditionFailed } from './errors.ts';
import { partBytesAt, partsOfBytes, partsOfStream } from './parts.ts';
import type { BucketReads, Target } from './reads.ts';
import { type TransferBudget, transferParts } from './transfers.ts';

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';
/** Bytes that are in memory anyway go by one request up to this many parts: one is cheaper than six or seven. */
const PARTS_IN_ONE_PUT = 5;
const ABANDON_AGAIN_AFTER_MS = [100, 300, 1000, 3000];
const MOST_ABANDONING_MS = 10_000;
/** Node.js's codes of a connection that the other side gave up. */
const HUNG_UP = ['ECONNRESET', 'EPIPE', 'ECONNABORTED'];

/** An object that is being created. */
interface Writing extends Target {
  object: NewObject;
  repeat: RepeatStep;
  /** Aborted by the caller, or by the end of the storage: every request ends with it. */
  call: LinkedAbort;
  /** Follows the call, and is aborted as well when a part fails: no further part is read or sent. */
  reading: LinkedAbort;
}

/** Carries past the repetitions of a part that its upload has ended already. */
class Over {}

/** Writes objects, each by one request or in parts, as its length demands. */
export class BucketWrites {
  readonly #driver: BucketDriver;
  readonly #calls: BucketCalls;
  readonly #reads: BucketReads;
  readonly #budget: TransferBudget;
  readonly #options: { partBytes: number; requestTimeoutMs: number };
  readonly #conditions: ConditionalWrites;
  readonly #underWay: UploadsUnderWay;

  constructor(
    driver: BucketDriver,
    calls: BucketCalls,
    reads: BucketReads,
    budget: TransferBudget,
    options: { partBytes: number; requestTimeoutMs: number },
  ) {
    this.#driver = driver;
    this.#calls = calls;
    this.#reads = reads;
    this.#budget = budget;
    this.#options = options;
    this.#conditions = new ConditionalWrites(driver, calls);
    this.#underWay = new UploadsUnderWay(driver.type);
  }

  /** Nothing is read of a stream before it is known that it can be written; afterwards it could not be read again. */
  async create(
    target: Target,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions,
  ): Promise<boolean> {
    const { contentType = DEFAULT_CONTENT_TYPE, repeatStep: repeat = once } = options;
    checkContentType(contentType);
    const condition = this.#isSingleWriter ? undefined : ('absent' as const);
    const object = { key: target.key, contentType, writeId: newWriteId(), condition };
    return this.#underWay.run(options.signal, async (call) => {
      const reading = new LinkedAbort(call.signal);
      const writing: Writing = { ...target, object, repeat, call, reading };
      await this.#conditions.ensurePut(call.signal);
      return isStream(body) ? this.#sendStream(writing, body) : this.#sendBytes(writing, body);
    });
  }

  async overwrite(target: Target, body: Uint8Array, options: OverwriteOptions): Promise<string> {
    const { ifMatch, signal } = options;
    const { name, key } = target;
    if (ifMatch !== undefined) {
      if (!this.#driver.isVersion(ifMatch)) throw preconditionFailed(name, ifMatch);
      await this.#conditions.ensureReplace(signal);
      const isLeft =
        this.#isSingleWriter && (await this.#reads.head(target, { signal }))?.version !== ifMatch;
      if (isLeft) throw preconditionFailed(name, ifMatch);
    }
    const condition = ifMatch === undefined || this.#isSingleWriter ? undefined : { ifVersion: ifMatch };
    const object = { key, contentType: DEFAULT_CONTENT_TYPE, writeId: newWriteId(), condition };
    const version = await this.#calls.send(
      { operation: 'overwrite', name, signal },
      (request) => this.#driver.put(object, body, request),
      ...(condition ? (['refused', 'missing'] as const) : []),
    );
    if (version instanceof Refused) throw preconditionFailed(name, ifMatch ?? '');
    return version;
  }

  /** Ends what is under way, and resolves when its unfinished uploads are gone. */
  close(): Promise<void> {
    return this.#underWay.close();
  }

  get #isSingleWriter(): boolean {
    return this.#driver.conditions.trust === 'absent';
  }

  #sendBytes(writing: Writing, body: Uint8Array): Promise<boolean> {
    if (body.length > this.#options.partBytes * PARTS_IN_ONE_PUT) {
      return this.#sendParts(writing, partsOfBytes(body, this.#bytesAt));
    }
    // Who repeats the call can send them again, and looks for itself whose the object is.
    return this.#put(writing, once, body);
  }

  /** The first part of a stream tells whether there is more than that. */
  async #sendStream(writing: Writing, body: AsyncIterable<Uint8Array>): Promise<boolean> {
    const parts = partsOfStream(readChunks(body, writing.reading.signal), this.#bytesAt);
    try {
      const first = (await parts.next()).value as Uint8Array;
      if (first.length < this.#bytesAt(0)) return await this.#put(writing, writing.repeat, first);
      return await this.#sendParts(writing, startingWith(first, parts));
    } finally {
      await parts.return();
    }
  }

  async #put(writing: Writing, repeat: RepeatStep, body: Uint8Array): Promise<boolean> {
    if (this.#isSingleWriter && (await repeat(() => this.#isThere(writing)))) return false;
    return this.#createOwn(writing, repeat, (call) => this.#driver.put(writing.object, body, call));
  }

  /**
   * Looks first, before megabytes go up in vain; but who wins is decided when the upload is completed. However it ends, no
   * unfinished upload is left.
   */
  async #sendParts(writing: Writing, parts: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { repeat, call } = writing;
    await repeat(() => this.#conditions.ensureUpload(call.signal));
    if (await repeat(() => this.#isThere(writing))) return false;
    const begin = (request: DriverCall) => this.#driver.upload(writing.object, request);
    const upload = await repeat(() => this.#calls.send(requestOf(writing), begin, 'refused'));
    if (upload instanceof Refused) return false;
    let isCreated = false;
    try {
      await this.#transfer(writing, upload, parts);
      isCreated = await this.#createOwn(writing, repeat, (request) => upload.complete(request));
      return isCreated;
    } finally {
      if (!isCreated) await this.#abandon(writing, upload);
    }
  }

  async #transfer(writing: Writing, upload: PartsUpload, parts: AsyncIterable<Uint8Array>): Promise<void> {
    const { repeat, reading } = writing;
    let offset = 0;
    const move = (part: Uint8Array, index: number): Promise<void> => {
      const at = { index, offset, isLast: part.length < this.#bytesAt(index) };
      offset += part.length;
      return repeat(() => this.#sendPart(writing, upload, part, at));
    };
    try {
      await transferParts({
        parts,
        bytesOf: (part) => part.length,
        move,
        budget: this.#budget,
        stop: reading,
        inOrder: this.#driver.limits.partsInOrder,
      });
    } catch (error) {
      if (!(error instanceof Over)) throw error;
    }
  }

  async #sendPart(writing: Writing, upload: PartsUpload, part: Uint8Array, at: PartPosition): Promise<void> {
    // Another part has been given up, and this one need not be tried again.
    if (writing.reading.signal.aborted) throw writing.reading.signal.reason;
    const state = await this.#calls.send(requestOf(writing), (call) => upload.send(part, at, call));
    if (state === 'over') throw new Over();
  }

  /**
   * Sends, and repeats, what creates an object, and answers for all of them: was that write mine? Refused means another's, unless an
   * earlier request may have taken effect, by the engine or by a client that repeats: then the mark in the object tells. So it does
   * where an object may be in the way, and where the server hung up: one that refuses a write may do so while its body is still being
   * sent, and the answer is lost with the connection.
   */
  async #createOwn(
    writing: Writing,
    repeat: RepeatStep,
    send: (call: DriverCall) => Promise<unknown>,
  ): Promise<boolean> {
    const { object, call } = writing;
    const isOwn = () => this.#reads.isOwn(writing, object.writeId, { signal: call.signal });
    let isUnsure = false;
    const outcome = await repeat(async () => {
      try {
        const answer = await this.#calls.send(requestOf(writing), send, 'refused', 'contested');
        return answer instanceof Refused ? answer : true;
      } catch (error) {
        isUnsure = true;
        const isMine = hasHungUp(error) ? await isOwn() : undefined;
        if (isMine === undefined) throw error;
        return isMine;
      }
    });
    if (!(outcome instanceof Refused)) return outcome;
    if (outcome.refusal === 'refused' && !isUnsure && !outcome.failure.mayBeOwn) return false;
    const isMine = await repeat(isOwn);
    if (isMine === undefined && outcome.refusal === 'contested') throw outcome.error;
    return isMine === true;
  }

  /**
   * A part that is under way at the server can outlive the abandonment of its upload, which then has to be repeated, as S3 says.
   * When a part fails the others are therefore let end; but a call that is aborted cuts them off, and looks again.
   * It takes no longer than a request may, or ten seconds. Where all is in vain the upload stays behind, invisible, until it expires
   * or somebody removes what `unfinished` finds.
   */
  async #abandon(writing: Writing, upload: PartsUpload): Promise<void> {
    const signal = AbortSignal.timeout(Math.min(this.#options.requestTimeoutMs, MOST_ABANDONING_MS));
    const request = { operation: 'abort the upload', name: writing.name, signal };
    for (const waitMs of ABANDON_AGAIN_AFTER_MS) {
      try {
        await this.#calls.send(request, (call) => upload.abandon(call));
        if (!writing.call.signal.aborted || !upload.isLeft) return;
        await sleep(waitMs, undefined, { signal });
        if (!(await this.#calls.send(request, async (call) => upload.isLeft?.(call)))) return;
      } catch (error) {
        if (signal.aborted || !isStowageError(error, 'STORAGE_UNAVAILABLE')) return;
        await sleep(waitMs);
      }
    }
  }

  async #isThere(writing: Writing): Promise<boolean> {
    return (await this.#reads.head(writing, { signal: writing.call.signal })) !== undefined;
  }

  /** Parts that go side by side are numbered, and the service bounds their number. */
  readonly #bytesAt = (index: number): number => {
    const { partBytes } = this.#options;
    return this.#driver.limits.partsInOrder ? partBytes : partBytesAt(index, partBytes);
  };
}

/** The uploads of one storage that have begun and not ended: its end is theirs. */
class UploadsUnderWay {
  readonly #type: string;
  readonly #underWay = new Map<LinkedAbort, Promise<unknown>>();

  /** @param type that of the storage */
  constructor(type: string) {
    this.#type = type;
  }

  /** Runs an upload, which ends with the signal of `call`. @throws StowageError `STORAGE_CLOSED` when the storage ends it */
  async run<T>(signal: AbortSignal | undefined, upload: (call: LinkedAbort) => Promise<T>): Promise<T> {
    const call = new LinkedAbort(signal);
    const uploading = upload(call);
    this.#underWay.set(call, uploading);
    try {
      return await uploading;
    } catch (error) {
      throw isStowageError(call.signal.reason, 'STORAGE_CLOSED') ? call.signal.reason : error;
    } finally {
      this.#underWay.delete(call);
      call.release();
    }
  }

  /** Ends what is under way, and resolves when that has cleaned up. */
  async close(): Promise<void> {
    const ending = [...this.#underWay.values()];
    for (const call of this.#underWay.keys()) call.abort(closedError(this.#type));
    await Promise.allSettled(ending);
  }
}

/** Marks a write. Always of one length, because Azure wants the ids of all blocks of a blob to be. */
function newWriteId(): string {
  return randomBytes(12).toString('hex');
}

function requestOf({ name, call }: Writing): BucketCall {
  return { operation: 'create', name, signal: call.signal };
}

function once<T>(step: () => Promise<T>): Promise<T> {
  return step();
}

function hasHungUp(error: unknown): boolean {
  return isStowageError(error, 'STORAGE_UNAVAILABLE') && HUNG_UP.includes(String(error.details.cause));
}

/** It becomes part of a header. */
function checkContentType(contentType: string): void {
  if (/^[\x20-\x7e]+$/.test(contentType)) return;
  throw new StowageError(
    'INVALID_ARGUMENT',
    `${JSON.stringify(contentType)} is no media type; write one like "text/html; charset=utf-8".`,
    { details: { contentType: String(contentType) } },
  );
}

async function* startingWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T, void> {
  yield first;
  yield* rest;
}
