import type {
  $Command,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { abortError, isError, isStowageError, throwIfAborted } from '../../errors.ts';
import { closedError } from '../checks.ts';
import { ownEndpoint } from '../endpoints.ts';
import { bucketUrlOf, type S3Connection, type S3Sdk } from './client.ts';
import { notS3Error, s3CodeOf, s3Error, statusOf } from './errors.ts';

/** What a request is for. */
export interface S3Request {
  operation: string;
  /** The name of the object, not its key. */
  name: string;
  signal?: AbortSignal | undefined;
  /** Whether the answer has a body to read, so that the signal, which must be of this call alone, outlives the answer. */
  hasBody?: boolean | undefined;
}

type Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = $Command<
  Input,
  Output,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;

/** Sends requests to one bucket, and turns what goes wrong into errors of the storage. */
export class S3Requests {
  readonly bucket: string;
  readonly #connection: S3Connection;
  readonly #host: string;
  /** As of `DataStoreStorage`. */
  readonly endpoint: string | undefined;
  #wasReached = false;
  #hasAnswered = false;
  #isClosed = false;

  private constructor(bucket: string, connection: S3Connection, url: URL) {
    this.bucket = bucket;
    this.#connection = connection;
    this.#host = url.host;
    this.endpoint = endpointOf(url, bucket);
  }

  /** Sends nothing yet, but finds the credentials. @throws StowageError `STORAGE_CREDENTIALS`, `INVALID_ARGUMENT` */
  static async to(bucket: string, connection: S3Connection): Promise<S3Requests> {
    try {
      return new S3Requests(bucket, connection, await bucketUrlOf(connection, bucket));
    } catch (error) {
      throw s3Error(error, { operation: 'open', name: bucket, place: `bucket "${bucket}"` }, false);
    }
  }

  /** Whether requests go to AWS itself, which is known to do what it says. */
  get isAws(): boolean {
    return /(^|\.)amazonaws\.com(\.cn)?(:\d+)?$/.test(this.#host);
  }

  /** Whether the bucket ever answered about an object, so that it exists and the credentials are good. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  get place(): string {
    return `bucket "${this.bucket}" at ${this.#host}`;
  }

  /** Sends a command. Errors that are `expected` are thrown as they came, for the caller to tell what they mean to it. */
  async send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    request: S3Request,
    make: (sdk: S3Sdk) => Command<Input, Output>,
    expected: (error: unknown) => boolean = () => false,
  ): Promise<Output> {
    const { signal } = request;
    if (this.#isClosed) throw closedError('s3');
    throwIfAborted(signal);
    const { sdk, client } = this.#connection;
    const link = request.hasBody ? undefined : new LinkedAbort(signal);
    const abortSignal = link?.signal ?? signal;
    try {
      const output = await client.send(make(sdk), abortSignal ? { abortSignal } : {});
      this.#wasReached = true;
      this.#hasAnswered = true;
      return output;
    } catch (error) {
      if (statusOf(error) !== undefined) this.#wasReached = true;
      if (s3CodeOf(error) === 'NoSuchKey') this.#hasAnswered = true;
      if (!signal?.aborted && expected(error)) throw error;
      throw this.errorOf(error, request);
    } finally {
      link?.release();
    }
  }

  /** What an error of the SDK, or of a body that it gave, comes to. What others throw passes. */
  errorOf(error: unknown, request: S3Request): unknown {
    if (request.signal?.aborted) return abortError(request.signal);
    if (isStowageError(error) || !isError(error)) return error;
    return s3Error(error, { ...request, place: this.place }, this.#wasReached);
  }

  /** An answer that S3 would not give. */
  notS3(said: string, request: S3Request): Error {
    return notS3Error(said, { ...request, place: this.place });
  }

  /** What is sent later fails. */
  close(): void {
    this.#isClosed = true;
    if (this.#connection.isOwn) this.#connection.client.destroy();
  }
}

/** The bucket stands in the host or in the path. */
function endpointOf({ protocol, host, pathname }: URL, bucket: string): string | undefined {
  const server = host.startsWith(`${bucket}.`) ? host.slice(bucket.length + 1) : host;
  const path = pathname.endsWith(`/${bucket}/`) ? pathname.slice(0, -bucket.length - 1) : pathname;
  return ownEndpoint('s3', `${protocol}//${server}${path}`);
}
