import { orAborted } from '../../async/next-or-aborted.ts';
import { DriverError } from '../bucket/errors.ts';
import { closedError } from '../checks.ts';
import type { GcsConnection } from './client.ts';
import { AnswerError, CredentialsError, NOT_GCS } from './errors.ts';
import { type HttpAnswer, HttpConnections, type HttpRequest } from './http.ts';
import type { CheckedGcsOptions } from './options.ts';

/** A request of the JSON API. */
export interface GcsRequest {
  method: HttpRequest['method'];
  url: string;
  /** Parameters of the URL; those that are undefined are left out. */
  query?: Readonly<Record<string, string | undefined>> | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  body?: readonly Uint8Array[] | undefined;
  /** True if it is about an object, which may be missing. */
  isOfObject?: boolean | undefined;
}

/** An object in the JSON API, as far as it was asked for. Numbers of 64 bits are strings. */
export interface ObjectResource {
  name?: string;
  generation?: string;
  size?: string;
  crc32c?: string;
  updated?: string;
  metadata?: Readonly<Record<string, string>>;
}

const MAX_QUOTED = 200;

/** Sends requests about one bucket. */
export class GcsRequests {
  readonly connection: GcsConnection;
  /** The URL of all objects of the bucket. */
  readonly objectsUrl: string;
  /** The URL that objects are uploaded to. */
  readonly uploadUrl: string;
  readonly #connections: HttpConnections;
  readonly #userProject: string | undefined;
  readonly #keyPrefix: string;
  #hasBucket = false;
  #isClosed = false;

  constructor(options: CheckedGcsOptions, connection: GcsConnection, keyPrefix: string) {
    const objects = `/storage/v1/b/${encodeURIComponent(options.bucket)}/o`;
    this.connection = connection;
    this.objectsUrl = `${connection.endpoint}${objects}`;
    this.uploadUrl = `${connection.endpoint}/upload${objects}`;
    this.#connections = new HttpConnections(options.requestTimeoutMs);
    this.#userProject = options.userProject;
    this.#keyPrefix = keyPrefix;
  }

  objectUrl(key: string): string {
    return `${this.objectsUrl}/${encodeURIComponent(key)}`;
  }

  /**
   * Sends a request. Gives every answer that succeeded, or whose status is `expected`; its body must be read to the end, or `signal`
   * be aborted.
   *
   * @throws AnswerError for any other; CredentialsError; DriverError; errors of Node.js
   */
  async send(
    request: GcsRequest,
    signal: AbortSignal,
    expected: readonly number[] = [],
  ): Promise<HttpAnswer> {
    const answer = await this.#exchange(request, signal);
    const { status, headers } = answer;
    const isSuccess = status >= 200 && status < 300;
    if (isSuccess) this.#hasBucket = true;
    if (isSuccess || expected.includes(status)) return answer;
    const text = await textOf(answer);
    if (status === 404 && request.isOfObject) await this.#ensureBucket(signal);
    throw new AnswerError(status, headers, text, request.isOfObject === true);
  }

  /** Sends a request and gives the JSON of its answer, which must be an object. */
  async json<T extends object>(request: GcsRequest, signal: AbortSignal): Promise<T> {
    return jsonOf(await this.send(request, signal));
  }

  /** Requests that are sent later fail. */
  close(): void {
    this.#isClosed = true;
    this.#connections.close();
  }

  /**
   * Tells a missing object from a missing bucket, which answers to a GET of content do not. Asks once
   * what nobody may do who may not list, and the store's readers list anyway.
   *
   * @throws AnswerError for a bucket that is not there; DriverError where the server is none of Cloud Storage
   */
  async #ensureBucket(signal: AbortSignal): Promise<void> {
    if (this.#hasBucket) return;
    const query = { maxResults: '1', prefix: this.#keyPrefix, fields: 'kind' };
    const page = await this.json<{ kind?: string }>({ method: 'GET', url: this.objectsUrl, query }, signal);
    this.#hasBucket = isListing(page);
    if (!this.#hasBucket) throw new DriverError(NOT_GCS, `kind: ${String(page.kind)}`);
  }

  async #exchange(request: GcsRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { method, body } = request;
    const url = withQuery(request.url, { ...request.query, userProject: this.#userProject });
    // They are looked for in many places, which may take long; the one who looks cannot be told to stop.
    const credentials = await orAborted(() => this.#credentialsFor(url), signal);
    if (this.#isClosed) throw closedError('gcs');
    const headers = { ...request.headers, ...credentials };
    return this.#connections.send({ method, url, headers, body }, signal);
  }

  async #credentialsFor(url: string): Promise<Readonly<Record<string, string>>> {
    try {
      return await this.connection.credentialsFor(url);
    } catch (cause) {
      throw new CredentialsError('no credentials', { cause });
    }
  }
}

/** True if an answer is a page of a listing, as Cloud Storage gives it. */
export function isListing({ kind }: { kind?: string }): boolean {
  return kind === 'storage#objects';
}

/** @throws DriverError where it is no JSON, or no object */
export async function jsonOf<T extends object>(answer: HttpAnswer): Promise<T> {
  const text = await textOf(answer);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {} // told below
  throw new DriverError(NOT_GCS, `an unexpected answer; ${text.slice(0, MAX_QUOTED)}`);
}

export async function textOf({ body }: HttpAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function withQuery(url: string, query: Readonly<Record<string, string | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, value);
  const text = parameters.toString();
  if (text === '') return url;
  return `${url}${url.includes('?') ? '&' : '?'}${text}`;
}
