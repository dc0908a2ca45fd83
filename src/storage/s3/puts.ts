import type { OverwriteOptions } from '../contract.ts';
import { preconditionFailed } from '../object-store/changed-meanwhile.ts';
import type { Target } from '../object-store/object-storage.ts';
import { createOrLook } from '../object-store/own-writes.ts';
import { type ConditionalWrites, isRefused, isRefusedOrMissing, wasRepeated } from './conditional-writes.ts';
import type { S3Downloads } from './downloads.ts';
import type { CheckedS3Options } from './options.ts';
import type { S3Requests } from './requests.ts';
import { etagOf, newWriteId, versionOf } from './version.ts';
import { isOwn, objectOf, requestOf, type Writing } from './writing.ts';

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
    await this.#conditions.ensureCreate(writing.call.signal);
    if (
      this.#options.singleWriter &&
      (await this.#downloads.head(writing, { signal: writing.call.signal }))
    ) {
      return false;
    }
    return createOrLook(
      () => this.#put(writing, body),
      () => isOwn(writing, this.#downloads),
    );
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
    await this.#conditions.ensureReplace(signal);
    if (!this.#options.singleWriter) return { IfMatch: etagOf(version) };
    const info = await this.#downloads.head(target, { signal });
    if (info?.version !== version) throw preconditionFailed(target.name, version);
    return {};
  }

  async #put(writing: Writing, body: Uint8Array): Promise<boolean> {
    const object = { ...objectOf(writing, this.#options), Body: body, ...this.#conditions.ifAbsent };
    const request = requestOf(writing);
    try {
      const answer = await this.#requests.send(request, (s3) => new s3.PutObjectCommand(object), isRefused);
      if (!answer.ETag) throw this.#requests.notS3('a write without an ETag', request);
      return true;
    } catch (error) {
      if (isRefused(error)) return wasRepeated(error) && (await isOwn(writing, this.#downloads)) === true;
      throw error;
    }
  }
}
