import { isStowageError, type StowageError } from '../../errors.ts';
import type { OverwriteOptions } from '../contract.ts';
import type { Target } from '../object-store/object-storage.ts';
import { type ConditionalWrites, isRefused, isRefusedOrMissing, wasRepeated } from './conditional-writes.ts';
import type { S3Downloads } from './downloads.ts';
import type { CheckedS3Options } from './options.ts';
import type { S3Requests } from './requests.ts';
import { etagOf, newWriteId, versionOf, writeIdOf } from './version.ts';
import { objectOf, preconditionFailed, requestOf, type Writing } from './writing.ts';

const HUNG_UP = ['ECONNRESET', 'EPIPE', 'ECONNABORTED'];

/** Writes objects that go by one request. */
export class S3Puts {
  readonly #requests: S3Requests;
  readonly #downloads: S3Downloads;
  readonly #conditions: ConditionalWrites;
  readonly #options: CheckedS3Options;

  constructor(
    requests: S3Requests,
    downloads: S3Downloads,
    conditions: ConditionalWrites,
    options: CheckedS3Options,
  ) {
    this.#requests = requests;
    this.#downloads = downloads;
    this.#conditions = conditions;
    this.#options = options;
  }

  async create(writing: Writing, body: Uint8Array): Promise<boolean> {
    await this.#conditions.ensureCreate();
    if (this.#options.singleWriter && (await this.#head(writing))) return false;
    const object = { ...objectOf(writing, this.#options), Body: body, ...this.#conditions.ifAbsent };
    try {
      const request = requestOf(writing);
      const answer = await this.#requests.send(request, (s3) => new s3.PutObjectCommand(object), isRefused);
      if (!answer.ETag) throw this.#requests.notS3('a write without an ETag', request);
      return true;
    } catch (error) {
      if (isRefused(error)) return wasRepeated(error) && (await this.#isOwn(writing));
      if (hasHungUp(error)) return this.#lookWhoWrote(writing, error);
      throw error;
    }
  }

  async overwrite(target: Target, body: Uint8Array, options: OverwriteOptions): Promise<string> {
    const { ifMatch, signal } = options;
    const condition = ifMatch === undefined ? {} : await this.#ifMatch(target, ifMatch, signal);
    const writeId = newWriteId();
    const written = { ...target, contentType: 'application/octet-stream', writeId };
    const object = { ...objectOf(written, this.#options), Body: body, ...condition };
    const request = { operation: 'overwrite', name: target.name, signal };
    const isNotMatched = (error: unknown): boolean => ifMatch !== undefined && isRefusedOrMissing(error);
    try {
      const answer = await this.#requests.send(
        request,
        (s3) => new s3.PutObjectCommand(object),
        isNotMatched,
      );
      if (!answer.ETag) throw this.#requests.notS3('a write without an ETag', request);
      return versionOf(answer.ETag, writeId);
    } catch (error) {
      throw isNotMatched(error) ? preconditionFailed(target.name, ifMatch ?? '') : error;
    }
  }

  async #ifMatch(
    target: Target,
    version: string,
    signal: AbortSignal | undefined,
  ): Promise<{ IfMatch?: string }> {
    await this.#conditions.ensureReplace();
    if (!this.#options.singleWriter) return { IfMatch: etagOf(version) };
    const info = await this.#downloads.head(target, { signal });
    if (info?.version !== version) throw preconditionFailed(target.name, version);
    return {};
  }

  /**
   * A server that refuses a write may hang up on whoever is still sending its body, and the answer is lost with the
   * connection; or the write took effect. The object tells, or the error of looking for it.
   */
  async #lookWhoWrote(writing: Writing, lost: StowageError): Promise<boolean> {
    const info = await this.#head(writing);
    if (!info) throw lost;
    return writeIdOf(info.version) === writing.writeId;
  }

  async #isOwn(writing: Writing): Promise<boolean> {
    const info = await this.#head(writing);
    return info !== undefined && writeIdOf(info.version) === writing.writeId;
  }

  #head(writing: Writing): ReturnType<S3Downloads['head']> {
    return this.#downloads.head(writing, { signal: writing.call.signal });
  }
}

function hasHungUp(error: unknown): error is StowageError {
  return isStowageError(error, 'STORAGE_UNAVAILABLE') && HUNG_UP.includes(String(error.details.cause));
}
