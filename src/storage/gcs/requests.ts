import { LinkedAbort } from '../../async/linked-abort.ts';
import { orAborted } from '../../async/next-or-aborted.ts';
import { abortError, isError, isStowageError, throwIfAborted } from '../../errors.ts';
import type { FailedRequest } from '../bucket/errors.ts';
import { closedError } from '../checks.ts';
import { ownEndpoint } from '../endpoints.ts';
import type { GcsConnection } from './client.ts';
import { answerError, credentialsError, notGcsError, transportError } from './errors.ts';
import { type HttpAnswer, HttpConnections, type HttpRequest } from './http.ts';
import type { CheckedGcsOptions } from './options.ts';

/** What a request is for. */
export interface GcsCall {
  operation: string;
  /** The name of the object, not its key. */
  name: string;
  signal?: AbortSignal | undefined;
}

/** A request of the JSON API. */
export interface GcsRequest extends GcsCall {
  method: HttpRequest['method'];
  url: string;
  /** Parameters of the URL; those that are undefined are left out. */
  query?: Readonly<Record<string, string | undefined>> | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  body?: readonly Uint8Array[] | undefined;
}

/** Sends requests about one bucket, and turns what goes wrong into errors of the storage. */
export class GcsRequests {
  readonly bucket: string;
  readonly #connection: GcsConnection;
  readonly #connections: HttpConnections;
  readonly #userProject: string | undefined;
  readonly #keyPrefix: string;
  #wasReached = false;
  #hasBucket = false;
  #isClosed = false;

  constructor(options: CheckedGcsOptions, connection: GcsConnection, keyPrefix: string) {
    this.bucket = options.bucket;
    this.#connection = connection;
    this.#connections = new HttpConnections(options.requestTimeoutMs);
    this.#userProject = options.userProject;
    this.#keyPrefix = keyPrefix;
  }

  get isGoogle(): boolean {
    return this.#connection.isGoogle;
  }

  get place(): string {
    return `bucket "${this.bucket}" at ${this.#connection.host}`;
  }

  /** As of `DataStoreStorage`. */
  get endpoint(): string | undefined {
    return ownEndpoint('gcs', this.#connection.endpoint);
  }

  /** The URL of all objects of the bucket. */
  get objectsUrl(): string {
    return `${this.#connection.endpoint}/storage/v1/b/${encodeURIComponent(this.bucket)}/o`;
  }

  /** The URL that objects are uploaded to. */
  get uploadUrl(): string {
    return `${this.#connection.endpoint}/upload/storage/v1/b/${encodeURIComponent(this.bucket)}/o`;
  }

  objectUrl(key: string): string {
    return `${this.objectsUrl}/${encodeURIComponent(key)}`;
  }

  /**
   * Sends a request. Gives every answer that succeeded, or whose status is `expected`; its body must be read to the end or
   * destroyed.
   */
  async send(request: GcsRequest, expected: readonly number[] = []): Promise<HttpAnswer> {
    if (this.#isClosed) throw closedError('gcs');
    throwIfAborted(request.signal);
    const link = new LinkedAbort(request.signal);
    let answer: HttpAnswer | undefined;
    try {
      answer = await this.#exchange(request, link.signal);
      answer.body.once('close', () => link.release());
      if (isSuccess(answer.status)) this.#hasBucket = true;
      if (isSuccess(answer.status) || expected.includes(answer.status)) return answer;
      throw answerError(answer, await textOf(answer), this.#failed(request), this.isGoogle);
    } catch (error) {
      throw this.errorOf(error, request);
    } finally {
      if (!answer) link.release();
    }
  }

  /** Sends a request and gives the JSON of its answer. */
  async json<T>(request: GcsRequest): Promise<T> {
    return this.jsonOf(await this.send(request), request);
  }

  async jsonOf<T>(answer: HttpAnswer, request: GcsCall): Promise<T> {
    try {
      const text = await textOf(answer);
      try {
        return JSON.parse(text) as T;
      } catch {
        throw this.notGcs(text, request);
      }
    } catch (error) {
      throw this.errorOf(error, request);
    }
  }

  /**
   * To be called where an object was not found, which may mean that its bucket was not: answers to a GET of content do not
   * tell one from the other. Asks once what nobody may do who may not list, and the store's readers list anyway.
   *
   * @throws StowageError `NO_SUCH_BUCKET`; `STORAGE_FAILED` where the server is none of Cloud Storage
   */
  async ensureBucket(call: GcsCall): Promise<void> {
    if (this.#hasBucket) return;
    const query = { maxResults: '1', prefix: this.#keyPrefix, fields: 'kind' };
    const { kind } = await this.json<{ kind?: string }>({
      ...call,
      method: 'GET',
      url: this.objectsUrl,
      query,
    });
    if (kind === 'storage#objects') return;
    this.#hasBucket = false;
    throw this.notGcs(`kind: ${String(kind)}`, call);
  }

  /** What an error of a request, or of the body of its answer, comes to. What others throw passes. */
  errorOf(error: unknown, call: GcsCall): unknown {
    if (call.signal?.aborted) return abortError(call.signal);
    if (isStowageError(error) || !isError(error)) return error;
    return transportError(error, this.#failed(call), this.#wasReached);
  }

  /** An answer that Cloud Storage would not give. */
  notGcs(said: string, call: GcsCall): Error {
    return notGcsError(said, this.#failed(call));
  }

  /** What is sent later fails. */
  close(): void {
    this.#isClosed = true;
    this.#connections.close();
  }

  async #exchange(request: GcsRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { method, body } = request;
    const url = withQuery(request.url, { ...request.query, userProject: this.#userProject });
    // They are looked for in many places, which may take long; the one who looks cannot be told to stop.
    const credentials = await orAborted(() => this.#credentialsFor(url, request), signal);
    if (this.#isClosed) throw closedError('gcs');
    const headers = { ...request.headers, ...credentials };
    const answer = await this.#connections.send({ method, url, headers, body }, signal);
    this.#wasReached = true;
    return answer;
  }

  async #credentialsFor(url: string, call: GcsCall): Promise<Readonly<Record<string, string>>> {
    try {
      return await this.#connection.credentialsFor(url);
    } catch (error) {
      throw credentialsError(error, this.#failed(call));
    }
  }

  #failed({ operation, name }: GcsCall): FailedRequest {
    return { operation, name, place: this.place };
  }
}

async function textOf({ body }: HttpAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function withQuery(url: string, query: Readonly<Record<string, string | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, value);
  const text = parameters.toString();
  if (text === '') return url;
  return `${url}${url.includes('?') ? '&' : '?'}${text}`;
}
