import { setTimeout as sleep } from 'node:timers/promises';
import type { CompletedPart } from '@aws-sdk/client-s3';
import { isStowageError } from '../../errors.ts';
import { createOwn } from '../object-store/own-writes.ts';
import type { TransferBudget } from '../object-store/transfer-budget.ts';
import { transferParts } from '../object-store/transfer-parts.ts';
import { type ConditionalWrites, isRefused, wasRepeated } from './conditional-writes.ts';
import type { S3Downloads } from './downloads.ts';
import { s3CodeOf } from './errors.ts';
import type { CheckedS3Options } from './options.ts';
import type { S3Requests } from './requests.ts';
import { isOwn, objectOf, requestOf, type Writing } from './writing.ts';

const ABORT_AGAIN_AFTER_MS = [100, 300, 1000, 3000];
const MOST_ABANDONING_MS = 10_000;

/** Writes objects that go in parts, side by side. */
export class S3MultipartUploads {
  readonly #requests: S3Requests;
  readonly #downloads: S3Downloads;
  readonly #conditions: ConditionalWrites;
  readonly #budget: TransferBudget;
  readonly #options: CheckedS3Options;

  constructor(
    requests: S3Requests,
    downloads: S3Downloads,
    conditions: ConditionalWrites,
    options: CheckedS3Options,
    budget: TransferBudget,
  ) {
    this.#requests = requests;
    this.#downloads = downloads;
    this.#conditions = conditions;
    this.#budget = budget;
    this.#options = options;
  }

  /**
   * Looks first, before megabytes go up in vain; but who wins is decided when the upload is completed. However it ends, no
   * unfinished upload is left.
   */
  async create(writing: Writing, parts: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { repeat, call, reading } = writing;
    await repeat(() => this.#conditions.ensureComplete(call.signal));
    if (await repeat(() => this.#isThere(writing))) return false;
    const uploadId = await repeat(() => this.#begin(writing));
    let isCreated = false;
    try {
      const sent = await transferParts({
        parts,
        bytesOf: (part) => part.length,
        move: (part, index) => repeat(() => this.#sendPart(writing, uploadId, part, index + 1)),
        budget: this.#budget,
        stop: reading,
      });
      isCreated = await createOwn(
        repeat,
        () => this.#complete(writing, uploadId, sent),
        () => isOwn(writing, this.#downloads),
      );
      return isCreated;
    } finally {
      if (!isCreated) await this.#abandon(writing, uploadId);
    }
  }

  async #begin(writing: Writing): Promise<string> {
    const object = objectOf(writing, this.#options);
    const answer = await this.#requests.send(
      requestOf(writing),
      (s3) => new s3.CreateMultipartUploadCommand(object),
    );
    return answer.UploadId as string;
  }

  async #sendPart(
    writing: Writing,
    uploadId: string,
    body: Uint8Array,
    number: number,
  ): Promise<CompletedPart> {
    // Another part has been given up, and this one need not be tried again.
    if (writing.reading.signal.aborted) throw writing.reading.signal.reason;
    const part = { ...this.#upload(writing, uploadId), PartNumber: number, Body: body };
    const answer = await this.#requests.send(requestOf(writing), (s3) => new s3.UploadPartCommand(part));
    return { PartNumber: number, ETag: answer.ETag };
  }

  async #complete(writing: Writing, uploadId: string, parts: CompletedPart[]): Promise<boolean> {
    const upload = this.#upload(writing, uploadId);
    const whole = { ...upload, MultipartUpload: { Parts: parts }, ...this.#conditions.ifAbsent };
    const request = requestOf(writing);
    const isOver = (error: unknown): boolean => isRefused(error) || s3CodeOf(error) === 'NoSuchUpload';
    try {
      await this.#requests.send(request, (s3) => new s3.CompleteMultipartUploadCommand(whole), isOver);
      return true;
    } catch (error) {
      if (isOver(error) && wasRepeated(error) && (await isOwn(writing, this.#downloads))) return true;
      if (isRefused(error)) return false;
      // Gone with an upload is what it became, by a request whose response was lost; or somebody removed it.
      if (isOver(error) && (await this.#isThere(writing))) return false;
      throw this.#requests.errorOf(error, request);
    }
  }

  /**
   * A part that is under way at the server can outlive the abort of its upload, which then has to be repeated, as S3 says.
   * When a part fails the others are therefore let end; but a call that is aborted cuts them off, and looks again.
   * It takes no longer than a request may, or ten seconds. Where all is in vain the upload stays behind, invisible, until
   * somebody aborts what `findUnfinishedUploads` finds.
   */
  async #abandon(writing: Writing, uploadId: string): Promise<void> {
    const upload = this.#upload(writing, uploadId);
    const signal = AbortSignal.timeout(Math.min(this.#options.requestTimeoutMs, MOST_ABANDONING_MS));
    const request = { operation: 'abort the upload', name: writing.name, signal };
    for (const waitMs of ABORT_AGAIN_AFTER_MS) {
      try {
        await this.#requests.send(request, (s3) => new s3.AbortMultipartUploadCommand(upload));
        if (!writing.call.signal.aborted) return;
        await sleep(waitMs, undefined, { signal });
        await this.#requests.send(request, (s3) => new s3.ListPartsCommand(upload));
      } catch (error) {
        if (signal.aborted || !isStowageError(error, 'STORAGE_UNAVAILABLE')) return;
        await sleep(waitMs);
      }
    }
  }

  async #isThere(writing: Writing): Promise<boolean> {
    return (await this.#downloads.head(writing, { signal: writing.call.signal })) !== undefined;
  }

  #upload({ key }: Writing, uploadId: string): { Bucket: string; Key: string; UploadId: string } {
    return { Bucket: this.#requests.bucket, Key: key, UploadId: uploadId };
  }
}
