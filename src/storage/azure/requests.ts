import type { ContainerClient } from '@azure/storage-blob';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { abortError, isError, isStowageError, throwIfAborted } from '../../errors.ts';
import { closedError } from '../checks.ts';
import type { AzureConnection } from './client.ts';
import { azureError, statusOf } from './errors.ts';

/** What a request is for. */
export interface AzureRequest {
  operation: string;
  /** The name of the object, not that of its blob. */
  name: string;
  signal?: AbortSignal | undefined;
  /** Whether the answer brings a body that is read afterwards, and that the signal is to end as well. */
  hasBody?: boolean | undefined;
}

/** Sends requests about one container, and turns what goes wrong into errors of the storage. */
export class AzureRequests {
  readonly place: string;
  readonly #connection: AzureConnection;
  #wasReached = false;
  #isClosed = false;

  constructor(connection: AzureConnection) {
    const { url, containerName } = connection.container;
    this.#connection = connection;
    this.place = `container "${containerName}" at ${new URL(url).host}`;
  }

  /** Whether what refused a request may be an earlier try of the same. */
  get mayRepeat(): boolean {
    return this.#connection.mayRepeat;
  }

  get containerUrl(): string {
    return this.#connection.container.url;
  }

  /** The blob service of the account. */
  get endpoint(): string {
    const { origin, pathname } = new URL(this.containerUrl);
    return origin + pathname.replace(/\/[^/]*\/?$/, '');
  }

  /** Sends a request. Errors that are `expected` are thrown as they came, for the caller to tell what they mean to it. */
  async send<Output>(
    request: AzureRequest,
    call: (container: ContainerClient, options: { abortSignal?: AbortSignal }) => Promise<Output>,
    expected: (error: unknown) => boolean = () => false,
  ): Promise<Output> {
    const { signal } = request;
    if (this.#isClosed) throw closedError('azure');
    throwIfAborted(signal);
    const link = request.hasBody ? undefined : new LinkedAbort(signal);
    const abortSignal = link?.signal ?? signal;
    try {
      const output = await call(this.#connection.container, abortSignal ? { abortSignal } : {});
      this.#wasReached = true;
      return output;
    } catch (error) {
      if (statusOf(error) !== undefined) this.#wasReached = true;
      if (!signal?.aborted && expected(error)) throw error;
      throw this.errorOf(error, request);
    } finally {
      link?.release();
    }
  }

  /** What an error of the SDK comes to. What others throw passes. */
  errorOf(error: unknown, request: AzureRequest): unknown {
    if (request.signal?.aborted) return abortError(request.signal);
    if (isStowageError(error) || !isError(error)) return error;
    const surroundings = {
      wasReached: this.#wasReached,
      sasExpiresAtMs: this.#connection.sasExpiresAtMs,
    };
    return azureError(error, { ...request, place: this.place }, surroundings);
  }

  /** What is sent later fails. */
  close(): void {
    this.#isClosed = true;
    this.#connection.close();
  }
}
