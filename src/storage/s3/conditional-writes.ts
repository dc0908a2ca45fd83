import { StowageError } from '../../errors.ts';
import type { ObjectKeys } from '../object-store/object-keys.ts';
import { TriedOnce } from '../object-store/tried-once.ts';
import { s3CodeOf, statusOf } from './errors.ts';
import type { S3Requests } from './requests.ts';

const NAME = 'conditional-writes';
const BODY = Buffer.from(
  'Stowage wrote this to see whether the server honours conditional writes. Nothing reads it.\n',
);
const NO_ETAG = '"00000000000000000000000000000000"';

/**
 * Whether S3 refused a write because of its condition. The answer to a completion may begin, with 200, before that is known; the
 * SDK then makes another status of it.
 */
export function isRefused(error: unknown): boolean {
  return statusOf(error) === 412 || s3CodeOf(error) === 'PreconditionFailed';
}

/** Whether a client, one that was passed in, sent the request more than once: then what refused the last one may be the first. */
export function wasRepeated(error: unknown): boolean {
  const { attempts = 1 } = (error as { $metadata?: { attempts?: number } }).$metadata ?? {};
  return attempts > 1;
}

/** Whether S3 refused an `If-Match` because there is no object to match. */
export function isRefusedOrMissing(error: unknown): boolean {
  return isRefused(error) || s3CodeOf(error) === 'NoSuchKey';
}

/**
 * Makes sure, once and before the first write that relies on it, that the server honours conditions: many servers take
 * the headers and ignore them. What tries them out is an object below `tmp/`, which no listing shows; it stays, so that
 * later it costs one request. Reading tries nothing, so that readers need no permission to write. AWS is taken at its
 * word, and a single writer does without.
 */
export class ConditionalWrites {
  readonly #requests: S3Requests;
  readonly #key: string;
  readonly #singleWriter: boolean;
  readonly #trials = new TriedOnce();

  constructor(requests: S3Requests, keys: ObjectKeys, singleWriter: boolean) {
    this.#requests = requests;
    this.#key = keys.reservedKeyOf(NAME);
    this.#singleWriter = singleWriter;
  }

  /** What a request that creates an object says. */
  get ifAbsent(): { IfNoneMatch?: string } {
    return this.#singleWriter ? {} : { IfNoneMatch: '*' };
  }

  /** `If-None-Match: *` when an object is put. @throws StowageError `STORAGE_UNSUPPORTED`, `ABORTED` */
  ensureCreate(signal: AbortSignal | undefined): Promise<void> {
    return this.#ensure(this.#tryCreate, signal);
  }

  /** `If-None-Match: *` when an upload in parts is completed. @throws StowageError `STORAGE_UNSUPPORTED`, `ABORTED` */
  ensureComplete(signal: AbortSignal | undefined): Promise<void> {
    return this.#ensure(this.#tryComplete, signal);
  }

  /** `If-Match` when an object is put. @throws StowageError `STORAGE_UNSUPPORTED`, `ABORTED` */
  ensureReplace(signal: AbortSignal | undefined): Promise<void> {
    return this.#ensure(this.#tryReplace, signal);
  }

  async #ensure(trial: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    if (!this.#singleWriter && !this.#requests.isAws) await this.#trials.ensure(trial, signal);
  }

  readonly #tryCreate = async (): Promise<void> => {
    // The first one may find that the object is there: then the server has shown already that it looks.
    const isHonoured = !(await this.#put({ IfNoneMatch: '*' })) || !(await this.#put({ IfNoneMatch: '*' }));
    if (!isHonoured) throw this.#unsupported('If-None-Match when an object is put');
  };

  readonly #tryReplace = async (): Promise<void> => {
    await this.#ensure(this.#tryCreate);
    if (await this.#put({ IfMatch: NO_ETAG })) throw this.#unsupported('If-Match when an object is put');
  };

  readonly #tryComplete = async (): Promise<void> => {
    await this.#ensure(this.#tryCreate);
    const { bucket: Bucket } = this.#requests;
    const request = { operation: 'create', name: `tmp/${NAME}` };
    const object = { Bucket, Key: this.#key };
    const { UploadId } = await this.#requests.send(
      request,
      (s3) => new s3.CreateMultipartUploadCommand(object),
    );
    const upload = { ...object, UploadId };
    const abort = () => this.#requests.send(request, (s3) => new s3.AbortMultipartUploadCommand(upload));
    try {
      const part = { ...upload, PartNumber: 1, Body: BODY };
      const { ETag } = await this.#requests.send(request, (s3) => new s3.UploadPartCommand(part));
      const whole = { ...upload, IfNoneMatch: '*', MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } };
      await this.#requests.send(request, (s3) => new s3.CompleteMultipartUploadCommand(whole), isRefused);
    } catch (error) {
      if (isRefused(error)) return void (await abort());
      // Nobody looks for unfinished uploads below tmp/. What went wrong before is what has to be told.
      await abort().catch(() => {});
      throw error;
    }
    throw this.#unsupported('If-None-Match when an upload in parts is completed');
  };

  /** Whether the server wrote the object, whatever the condition. */
  async #put(condition: { IfNoneMatch: string } | { IfMatch: string }): Promise<boolean> {
    const request = { operation: 'create', name: `tmp/${NAME}` };
    const object = { Bucket: this.#requests.bucket, Key: this.#key, Body: BODY, ...condition };
    try {
      const answer = await this.#requests.send(request, (s3) => new s3.PutObjectCommand(object), isRefused);
      if (!answer.ETag) throw this.#requests.notS3('a write without an ETag', request);
      return true;
    } catch (error) {
      if (isRefused(error)) return false;
      throw error;
    }
  }

  #unsupported(what: string): StowageError {
    const { place } = this.#requests;
    return new StowageError(
      'STORAGE_UNSUPPORTED',
      `The server of ${place} ignores ${what}. Of several writers that create one object each would believe to have ` +
        'done it, and the last one would destroy what the others wrote. Use a server that honours it (AWS S3, MinIO, ' +
        'Cloudflare R2, versitygw, ...); or, if there is only ever one writer at a time, open the store with singleWriter: true.',
      { details: { place, ignored: what } },
    );
  }
}
