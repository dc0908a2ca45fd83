import type { EventEmitter } from 'node:events';
import type { GetObjectCommandOutput, HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { StowageError } from '../../errors.ts';
import { readableRange } from '../checks.ts';
import type { ByteRange, CallOptions, GetOptions, ObjectInfo, StoredObject } from '../contract.ts';
import { replacedMeanwhile } from '../object-store/changed-meanwhile.ts';
import type { Target } from '../object-store/object-storage.ts';
import { readBeginningInto, readBodyInto } from '../object-store/read-body.ts';
import type { TransferBudget } from '../object-store/transfer-budget.ts';
import { transferParts } from '../object-store/transfer-parts.ts';
import { s3CodeOf, statusOf } from './errors.ts';
import type { S3Request, S3Requests } from './requests.ts';
import { versionOf } from './version.ts';

/** The answer to a GET; its body must be read to the end, or its request aborted. */
type Answer = GetObjectCommandOutput;

/** A part of what is read, and the answer that brings it, where there is one already. */
interface Part {
  offset: number;
  into: Uint8Array;
  answer?: Answer | undefined;
}

/** Reads objects: small ones by one request, large ones by ranges side by side. */
export class S3Downloads {
  readonly #requests: S3Requests;
  readonly #budget: TransferBudget;
  readonly #partBytes: number;

  constructor(requests: S3Requests, budget: TransferBudget, partBytes: number) {
    this.#requests = requests;
    this.#budget = budget;
    this.#partBytes = partBytes;
  }

  /**
   * The first request tells length and version, and brings bytes. If there are many more, others bring them at the same
   * time, with `If-Match`, so that all are of one object.
   */
  async get(target: Target, options: GetOptions): Promise<StoredObject | undefined> {
    const wanted = options.range && readableRange(target.name, Number.MAX_SAFE_INTEGER, unlimited(options));
    if (wanted?.length === 0) return this.#getNothing(target, options);
    const first = new LinkedAbort(options.signal);
    let isReadToItsEnd = false;
    try {
      const answer = await this.#ask(target, wanted && this.#firstOf(wanted), first.signal);
      if (answer === 'past the end') return await this.#getNothing(target, options);
      if (answer === undefined) return undefined;
      const bytes = this.#totalBytesOf(target.name, answer);
      const range = readableRange(target.name, bytes, options);
      const body = new Uint8Array(range.length);
      const isOnePart = answer.ContentLength === range.length && range.length <= 2 * this.#partBytes;
      if (isOnePart) await readBodyInto(body, streamOf(answer), target.name);
      else await this.#readByRanges(target, answer, range.offset, body, options);
      isReadToItsEnd = isOnePart || answer.ContentLength === this.#partBytes;
      return { ...infoOf(target.name, answer, bytes), body };
    } catch (error) {
      if (error instanceof Replaced) throw replacedMeanwhile(target.name);
      throw this.#requests.errorOf(error, { operation: 'get', name: target.name, signal: options.signal });
    } finally {
      if (!isReadToItsEnd) first.abort();
      first.release();
    }
  }

  async head(target: Target, options: CallOptions): Promise<ObjectInfo | undefined> {
    const { name, key } = target;
    const request = { operation: 'head', name, signal: options.signal };
    const object = { Bucket: this.#requests.bucket, Key: key };
    try {
      const answer = await this.#requests.send(
        request,
        (s3) => new s3.HeadObjectCommand(object),
        isUnexplained,
      );
      this.#expectETag(answer, request);
      return infoOf(name, answer, answer.ContentLength ?? 0);
    } catch (error) {
      if (!isUnexplained(error)) throw error;
      if (statusOf(error) === 404 && this.#requests.hasAnswered) return undefined;
      return this.#explain(target, options);
    }
  }

  /** An answer to HEAD has no body to say what is missing (object or bucket) or wrong (key or secret). One to GET has. */
  async #explain(target: Target, options: CallOptions): Promise<ObjectInfo | undefined> {
    const object = await this.get(target, { ...options, range: { offset: 0, length: 1 } });
    if (!object) return undefined;
    const { body: _, ...info } = object;
    return info;
  }

  /** A range without bytes, which S3 has no way to ask for. */
  async #getNothing(target: Target, options: GetOptions): Promise<StoredObject | undefined> {
    const info = await this.head(target, options);
    if (!info) return undefined;
    if (readableRange(target.name, info.bytes, options).length > 0) throw replacedMeanwhile(target.name);
    return { ...info, body: new Uint8Array(0) };
  }

  /** The answer brings the first part, even if it goes on after it. */
  async #readByRanges(
    target: Target,
    answer: Answer,
    offset: number,
    body: Uint8Array,
    options: GetOptions,
  ): Promise<void> {
    const stop = new LinkedAbort(options.signal);
    const repeat = options.repeatStep ?? ((step) => step());
    try {
      await transferParts({
        parts: this.#partsOf(offset, body, answer),
        bytesOf: (part) => part.into.length,
        move: (part) => repeat(() => this.#fill(target, part, answer.ETag, stop.signal)),
        budget: this.#budget,
        stop,
      });
    } finally {
      stop.release();
    }
  }

  *#partsOf(offset: number, body: Uint8Array, answer: Answer): Generator<Part> {
    for (let at = 0; at < body.length; at += this.#partBytes) {
      const into = body.subarray(at, at + this.#partBytes);
      yield { offset: offset + at, into, answer: at === 0 ? answer : undefined };
    }
  }

  /** A repeated step asks anew for what the first answer did not bring. */
  async #fill(target: Target, part: Part, etag: string | undefined, signal: AbortSignal): Promise<void> {
    const { answer, into, offset } = part;
    const { name } = target;
    part.answer = undefined;
    try {
      if (answer) {
        const read = answer.ContentLength === into.length ? readBodyInto : readBeginningInto;
        return await read(into, streamOf(answer), name);
      }
      const next = await this.#ask(target, { offset, length: into.length }, signal, etag);
      if (next === undefined || next === 'past the end') throw new Replaced();
      await readBodyInto(into, streamOf(next), name);
    } catch (error) {
      throw this.#requests.errorOf(error, { operation: 'get', name, signal });
    }
  }

  async #ask(
    { name, key }: Target,
    range: ByteRange | undefined,
    signal: AbortSignal,
    etag?: string,
  ): Promise<Answer | 'past the end' | undefined> {
    const part = range
      ? { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }
      : { ChecksumMode: 'ENABLED' as const };
    const object = { Bucket: this.#requests.bucket, Key: key, ...part, ...(etag && { IfMatch: etag }) };
    const request = { operation: 'get', name, signal, hasBody: true };
    try {
      const answer = await this.#requests.send(request, (s3) => new s3.GetObjectCommand(object), isExpected);
      // The SDK's check of a body that is given up would end the process, were nobody to listen to its complaint.
      (answer.Body as unknown as EventEmitter).on('error', () => {});
      this.#expectETag(answer, request);
      if (range && !isOfRange(answer, range)) throw this.#ignoresRanges(name, range, answer);
      return answer;
    } catch (error) {
      if (statusOf(error) === 416) return 'past the end';
      if (statusOf(error) === 412) throw new Replaced();
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Some page that answers whatever is asked has none. */
  #expectETag({ ETag }: Answer | HeadObjectCommandOutput, request: S3Request): void {
    if (!ETag) throw this.#requests.notS3('an object without an ETag', request);
  }

  /** The part of a range that the first request asks for. */
  #firstOf({ offset, length }: ByteRange): ByteRange {
    return { offset, length: length <= 2 * this.#partBytes ? length : this.#partBytes };
  }

  #totalBytesOf(name: string, { ContentRange, ContentLength }: Answer): number {
    const total = Number(
      /\/(\d+)$/.exec(ContentRange ?? '')?.[1] ?? (ContentRange ? undefined : ContentLength),
    );
    if (Number.isSafeInteger(total)) return total;
    throw new StowageError(
      'STORAGE_UNSUPPORTED',
      `The server of ${this.#requests.place} does not tell how long "${name}" is; use a server that does.`,
      { details: { name, contentRange: ContentRange } },
    );
  }

  #ignoresRanges(name: string, asked: ByteRange, answer: Answer): StowageError {
    return new StowageError(
      'STORAGE_UNSUPPORTED',
      `Asked for a part of "${name}", the server of ${this.#requests.place} gives another; use a server that can.`,
      { details: { name, asked, given: answer.ContentRange ?? 'all' } },
    );
  }
}

/** Says, past the repetition of a step, that the call as a whole has to begin again. */
class Replaced {}

/** Every answer is looked at, which is why reading by ranges needs no trial. */
function isOfRange({ ContentRange, ContentLength }: Answer, { offset, length }: ByteRange): boolean {
  if (ContentRange !== undefined) return ContentRange.startsWith(`bytes ${offset}-`);
  return offset === 0 && ContentLength !== undefined && ContentLength <= length;
}

function infoOf(name: string, answer: Answer | HeadObjectCommandOutput, bytes: number): ObjectInfo {
  const modifiedAtMs = answer.LastModified?.getTime() ?? 0;
  return { name, bytes, modifiedAtMs, version: versionOf(answer.ETag, answer.Metadata) };
}

function streamOf(answer: Answer): AsyncIterable<Uint8Array> {
  return answer.Body as unknown as AsyncIterable<Uint8Array>;
}

function unlimited(options: GetOptions): GetOptions {
  return { ...options, maxBytes: Number.MAX_SAFE_INTEGER };
}

function isMissing(error: unknown): boolean {
  return statusOf(error) === 404 && s3CodeOf(error) === 'NoSuchKey';
}

function isExpected(error: unknown): boolean {
  return isMissing(error) || statusOf(error) === 416 || statusOf(error) === 412;
}

/** An answer to HEAD that tells no more than its status. */
function isUnexplained(error: unknown): boolean {
  const status = statusOf(error) ?? 0;
  return s3CodeOf(error) === undefined && status >= 400 && status < 500;
}
