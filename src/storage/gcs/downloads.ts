import { LinkedAbort } from '../../async/linked-abort.ts';
import { StowageError } from '../../errors.ts';
import { replacedMeanwhile } from '../bucket/errors.ts';
import type { TransferBudget } from '../bucket/transfers.ts';
import { transferParts } from '../bucket/transfers.ts';
import { readableRange } from '../checks.ts';
import {
  type ByteRange,
  type CallOptions,
  DEFAULT_MAX_GET_BYTES,
  type GetOptions,
  type ObjectInfo,
  type StoredObject,
} from '../contract.ts';
import type { Target } from '../object-store/object-storage.ts';
import { readBodyInto } from '../object-store/read-body.ts';
import { Crc32c } from './crc32c.ts';
import { changedError } from './errors.ts';
import type { HttpAnswer } from './http.ts';
import type { GcsCall, GcsRequests } from './requests.ts';
import { infoOf, type ObjectResource, wholeSeconds } from './resource.ts';

/** The beginning of a content's answer. */
interface Answer extends HttpAnswer {
  info: ObjectInfo;
  /** Where the part that it brings begins, and how long it is. */
  part: ByteRange;
}

/** A part of what is read, and the answer that brings it, where there is one already. */
interface Part {
  offset: number;
  into: Uint8Array;
  answer?: Answer | undefined;
}

/** Thrown past the retries of single parts: asking again for an object that is gone is in vain. */
class Replaced extends Error {}

/** Bytes of which the checksum is taken before others get their turn. */
const CHECKED_AT_ONCE = 4 * 1024 * 1024;
const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+)$/;
const CRC32C = /crc32c=([A-Za-z0-9+/=]+)/;

/** Reads objects: small ones by one request, large ones by ranges side by side. */
export class GcsDownloads {
  readonly #requests: GcsRequests;
  readonly #budget: TransferBudget;
  readonly #partBytes: number;

  constructor(requests: GcsRequests, budget: TransferBudget, partBytes: number) {
    this.#requests = requests;
    this.#budget = budget;
    this.#partBytes = partBytes;
  }

  /**
   * The first request asks for the first part, and tells length and generation. If there is more, others bring it at the
   * same time, of the same generation. What is read whole is checked by its CRC32C.
   */
  async get(target: Target, options: GetOptions): Promise<StoredObject | undefined> {
    const { name } = target;
    const wanted = firstOf(name, options, this.#partBytes);
    if (wanted.length === 0) return this.#getNothing(target, options);
    const call: GcsCall = { operation: 'get', name, signal: options.signal };
    let answer: Answer | undefined;
    try {
      const first = await this.#ask(target, call, wanted);
      if (first === 'past the end') return await this.#getNothing(target, options);
      if (first === undefined) return undefined;
      answer = first;
      const range = readableRange(name, first.info.bytes, options);
      const body = new Uint8Array(range.length);
      if (range.length === first.part.length) await readBodyInto(body, first.body, name);
      else await this.#readByRanges(target, first, body, options);
      if (body.length === first.info.bytes) await this.#check(first, body, call);
      return { ...first.info, body };
    } catch (error) {
      throw error instanceof Replaced ? replacedMeanwhile(name) : this.#requests.errorOf(error, call);
    } finally {
      // Read to its end it is over already.
      answer?.body.destroy();
    }
  }

  async head(target: Target, options: CallOptions): Promise<ObjectInfo | undefined> {
    const resource = await this.resource(target, options);
    return resource && infoOf(target.name, resource);
  }

  /** What the service knows of an object. */
  async resource(target: Target, { signal }: CallOptions): Promise<ObjectResource | undefined> {
    const call: GcsCall = { operation: 'head', name: target.name, signal };
    const url = this.#requests.objectUrl(target.key);
    const query = { fields: 'generation,size,updated,metadata' };
    const answer = await this.#requests.send({ ...call, method: 'GET', url, query }, [404]);
    if (answer.status === 404) return this.#missing(answer, call);
    const resource = await this.#requests.jsonOf<ObjectResource>(answer, call);
    if (resource.generation !== undefined) return resource;
    throw this.#requests.notGcs('an object without a generation', call);
  }

  /** A range without bytes, which HTTP has no way to ask for, or one past the end: that of an empty object, say. */
  async #getNothing(target: Target, options: GetOptions): Promise<StoredObject | undefined> {
    const info = await this.head(target, options);
    if (!info) return undefined;
    if (readableRange(target.name, info.bytes, options).length > 0) throw replacedMeanwhile(target.name);
    return { ...info, body: new Uint8Array(0) };
  }

  async #readByRanges(target: Target, first: Answer, body: Uint8Array, options: GetOptions): Promise<void> {
    const stop = new LinkedAbort(options.signal);
    const call: GcsCall = { operation: 'get', name: target.name, signal: stop.signal };
    const repeat = options.repeatStep ?? ((step) => step());
    try {
      await transferParts({
        parts: partsOf(first, body, this.#partBytes),
        bytesOf: (part) => part.into.length,
        move: (part) => repeat(() => this.#fill(target, call, part, first.info.version)),
        budget: this.#budget,
        stop,
      });
    } finally {
      stop.release();
    }
  }

  /** A repeated step asks anew for what the first answer did not bring. */
  async #fill(target: Target, call: GcsCall, part: Part, generation: string): Promise<void> {
    const { answer, into, offset } = part;
    part.answer = undefined;
    try {
      const given = answer ?? (await this.#ask(target, call, { offset, length: into.length }, generation));
      if (given === undefined || given === 'past the end') throw new Replaced();
      await readBodyInto(into, given.body, target.name);
    } catch (error) {
      throw error instanceof Replaced ? error : this.#requests.errorOf(error, call);
    }
  }

  async #ask(
    { key }: Target,
    call: GcsCall,
    { offset, length }: ByteRange,
    generation?: string,
  ): Promise<Answer | 'past the end' | undefined> {
    const headers = {
      Range: `bytes=${offset}-${offset + length - 1}`,
      // Without it the service would decompress what somebody stored compressed, and ignore the range.
      'Accept-Encoding': 'gzip',
    };
    const url = this.#requests.objectUrl(key);
    const query = { alt: 'media', generation };
    const answer = await this.#requests.send({ ...call, method: 'GET', url, query, headers }, [404, 416]);
    if (answer.status === 404) return this.#missing(answer, call);
    if (answer.status === 416) {
      answer.body.resume();
      return 'past the end';
    }
    const info = infoOfHeaders(call.name, answer);
    const part = partOf(answer);
    const isUsable = info && part?.offset === offset && part.length <= length;
    if (isUsable) return { ...answer, info: { ...info, bytes: part.total }, part };
    answer.body.destroy();
    if (!info) throw this.#requests.notGcs('content without a generation', call);
    throw this.#ignoresRanges(call, headers.Range, answer);
  }

  async #missing(answer: HttpAnswer, call: GcsCall): Promise<undefined> {
    answer.body.resume();
    await this.#requests.ensureBucket(call);
    return undefined;
  }

  async #check({ headers }: Answer, body: Uint8Array, { operation, name }: GcsCall): Promise<void> {
    const expected = CRC32C.exec(String(headers['x-goog-hash']))?.[1];
    if (expected === undefined) return;
    const checksum = new Crc32c();
    for (let at = 0; at < body.length; at += CHECKED_AT_ONCE) {
      if (at > 0) await new Promise(setImmediate);
      checksum.update(body.subarray(at, at + CHECKED_AT_ONCE));
    }
    const actual = checksum.toString();
    if (actual === expected) return;
    throw changedError(`read ${actual}, stored ${expected}`, {
      operation,
      name,
      place: this.#requests.place,
    });
  }

  #ignoresRanges({ name }: GcsCall, asked: string, { headers }: HttpAnswer): StowageError {
    const given = headers['content-range'] ?? 'all';
    return new StowageError(
      'STORAGE_UNSUPPORTED',
      `Asked for ${asked} of "${name}", the server of ${this.#requests.place} gives ${given}; use a server that can.`,
      { details: { name, asked, given } },
    );
  }
}

/** What the first request asks for: no more than may be returned, and one part of what is longer than two. @throws StowageError `INVALID_ARGUMENT` */
function firstOf(name: string, options: GetOptions, partBytes: number): ByteRange {
  const { maxBytes = DEFAULT_MAX_GET_BYTES } = options;
  const anything = { ...options, maxBytes: Number.MAX_SAFE_INTEGER };
  const { offset, length } = readableRange(name, Number.MAX_SAFE_INTEGER, anything);
  const first = length <= 2 * partBytes ? length : partBytes;
  return { offset, length: Math.min(first, Math.max(maxBytes, 1)) };
}

function* partsOf(first: Answer, body: Uint8Array, partBytes: number): Generator<Part> {
  const { offset, length } = first.part;
  yield { offset, into: body.subarray(0, length), answer: first };
  for (let at = length; at < body.length; at += partBytes) {
    yield { offset: offset + at, into: body.subarray(at, at + partBytes) };
  }
}

function infoOfHeaders(name: string, { headers }: HttpAnswer): Omit<ObjectInfo, 'bytes'> | undefined {
  const generation = headers['x-goog-generation'];
  if (typeof generation !== 'string') return undefined;
  return { name, modifiedAtMs: wholeSeconds(headers['last-modified']), version: generation };
}

/** The part of the object that an answer brings, and the length of the whole. */
function partOf({ status, headers }: HttpAnswer): (ByteRange & { total: number }) | undefined {
  if (status === 200) {
    const total = Number(headers['content-length'] ?? Number.NaN);
    return { offset: 0, length: total, total };
  }
  const [, first, last, total] = CONTENT_RANGE.exec(headers['content-range'] ?? '') ?? [];
  if (total === undefined) return undefined;
  return { offset: Number(first), length: Number(last) - Number(first) + 1, total: Number(total) };
}
