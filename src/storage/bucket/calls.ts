import { LinkedAbort } from '../../async/linked-abort.ts';
import { abortError, isError, isStowageError, type StowageError, throwIfAborted } from '../../errors.ts';
import { closedError } from '../checks.ts';
import { storageError } from './connection-errors.ts';
import type { BucketDriver, DriverCall } from './driver.ts';
import { DriverError, type Failure, type Refusal } from './errors.ts';

/** The purpose of a request. */
export interface BucketCall {
  operation: string;
  /** The name of the object, not its key. */
  name: string;
  signal?: AbortSignal | undefined;
  /** Made for this request alone, of `signal`, where the request goes on after its answer began. Its maker releases it. */
  link?: LinkedAbort | undefined;
}

/** A refusal that was expected, and the error that it is to whoever did not expect it. */
export class Refused<R extends Refusal = Refusal> {
  readonly refusal: R;
  readonly error: StowageError;
  readonly failure: Failure;

  constructor(refusal: R, error: StowageError, failure: Failure) {
    this.refusal = refusal;
    this.error = error;
    this.failure = failure;
  }
}

/** Sends the requests of one storage, and turns what goes wrong into its errors. */
export class BucketCalls {
  readonly #driver: BucketDriver;
  #wasReached = false;
  #hasAnswered = false;
  #isClosed = false;

  constructor(driver: BucketDriver) {
    this.#driver = driver;
  }

  /** True if the bucket ever answered about an object, so that it exists and the credentials are good. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /**
   * Sends a request. Refusals that are `expected` are results.
   *
   * @throws StowageError `STORAGE_CLOSED`, `ABORTED`, and what the driver's errors mean
   */
  async send<T>(request: BucketCall, work: (call: DriverCall) => Promise<T>): Promise<T>;
  async send<T, R extends Refusal>(
    request: BucketCall,
    work: (call: DriverCall) => Promise<T>,
    ...expected: R[]
  ): Promise<T | Refused<R>>;
  async send<T, R extends Refusal>(
    request: BucketCall,
    work: (call: DriverCall) => Promise<T>,
    ...expected: R[]
  ): Promise<T | Refused<R>> {
    const { signal } = request;
    if (this.#isClosed) throw closedError(this.#driver.type);
    throwIfAborted(signal);
    const link = request.link ?? new LinkedAbort(signal);
    try {
      const answer = await work({ signal: link.signal });
      this.#wasReached = true;
      this.#hasAnswered = true;
      return answer;
    } catch (thrown) {
      const failure = this.#failureOf(thrown, request);
      const error = this.errorOf(thrown, request, failure);
      if (!failure?.refusal || signal?.aborted || !isStowageError(error)) throw error;
      const known = expected.find((refusal) => refusal === failure.refusal);
      if (known === undefined) throw error;
      return new Refused(known, error, failure);
    } finally {
      if (!request.link) link.release();
    }
  }

  /** The error of the storage that an error of the driver, or of a body that it gave, comes to. What others throw passes. */
  errorOf(
    thrown: unknown,
    request: BucketCall,
    failure: Failure | undefined = this.#failureOf(thrown, request),
  ): unknown {
    if (request.signal?.aborted) return abortError(request.signal);
    if (!failure) return thrown;
    const cause = thrown instanceof DriverError ? undefined : thrown;
    return this.errorOfFailure(failure, request, cause);
  }

  /** The error of a failure that the driver told of one object among many. */
  errorOfFailure(failure: Failure, { operation, name }: BucketCall, cause?: unknown): StowageError {
    const request = { operation, name, place: this.#driver.place };
    return storageError(failure, request, this.#wasReached, cause);
  }

  /** Requests that are sent later fail. */
  close(): void {
    this.#isClosed = true;
    this.#driver.close();
  }

  #failureOf(thrown: unknown, request: BucketCall): Failure | undefined {
    if (isStowageError(thrown) || !isError(thrown)) return undefined;
    const failure = thrown instanceof DriverError ? thrown.failure : this.#driver.classify(thrown, request);
    if (failure.status !== undefined || thrown instanceof DriverError) this.#wasReached = true;
    if (failure.refusal === 'missing') this.#hasAnswered = true;
    return failure;
  }
}
