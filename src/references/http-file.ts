import { isStowageError, messageOf, StowageError, throwIfAborted } from '../errors.ts';
import { codeOfStatus, connectionError, retryAfterMs } from '../storage/bucket/connection-errors.ts';
import type { ByteRange, CallOptions } from '../storage/contract.ts';
import { type RetryOptions, RetryPolicy } from '../storage/retry-policy.ts';
import { changed, notFound, shownUri, unreadable } from './errors.ts';
import { checkUnchanged, type FileReadOptions, type FileSource, type SeenFile } from './file-source.ts';

const MAX_REDIRECTS = 10;

/** How far a read has got. */
interface ReadSoFar {
  /** Bytes that were given. */
  given: number;
  /** The file as the first answer told of it. */
  first?: SeenFile;
}

/**
 * A file behind `http:` or `https:`. No request carries credentials, wherever it is redirected to; redirects lead to `http:` and
 * `https:` alone, and never from the second to the first.
 *
 * What may pass (a connection that breaks or is refused; the answers 408, 425, 429, 500, 502, 503, 504) is tried again, as calls of storages
 * are. A read that breaks goes on where it stood, if the server tells by an ETag or a time that it is still the same file.
 */
export class HttpFile implements FileSource {
  readonly #uri: string;
  readonly #seen: SeenFile | undefined;
  readonly #policy: RetryPolicy;
  #isReached = false;

  constructor(uri: string, seen?: SeenFile, retries: RetryOptions = {}) {
    this.#uri = uri;
    this.#seen = seen;
    this.#policy = new RetryPolicy(retries);
  }

  async look(options: CallOptions): Promise<SeenFile | undefined> {
    return this.#trying('head', options, async () => {
      let response = await this.#ask('HEAD', {}, options);
      // A server that knows no HEAD is asked for the file, and not listened to.
      if ([405, 501].includes(response.status)) response = await this.#ask('GET', {}, options);
      await response.body?.cancel();
      if (isAbsent(response)) return undefined;
      this.#checkAnswer(response);
      return seenOf(response);
    });
  }

  async *read({ range, signal }: FileReadOptions): AsyncGenerator<Uint8Array> {
    throwIfAborted(signal);
    if (range?.length === 0) return;
    const soFar: ReadSoFar = { given: 0 };
    let pieces: AsyncGenerator<Uint8Array, void> | undefined;
    try {
      while (true) {
        const { done, value } = await this.#trying('get', { signal }, async () => {
          pieces ??= this.#rest(range, soFar, { signal });
          try {
            return await pieces.next();
          } catch (error) {
            pieces = undefined;
            throw error;
          }
        });
        if (done) return;
        soFar.given += value.length;
        yield value;
      }
    } finally {
      await pieces?.return();
    }
  }

  /** The bytes behind those that were given, by one request. */
  async *#rest(
    range: ByteRange | undefined,
    soFar: ReadSoFar,
    { signal }: CallOptions,
  ): AsyncGenerator<Uint8Array, void> {
    const part = restOf(range, soFar.given);
    if (part?.length === 0) return;
    const end = part && Number.isFinite(part.length) ? part.offset + part.length - 1 : '';
    const headers = part && { range: `bytes=${part.offset}-${end}` };
    const response = await this.#ask('GET', { ...headers }, { signal });
    let isRead = false;
    try {
      if (isAbsent(response)) throw notFound(this.#uri);
      if (range && soFar.given === 0 && response.status === 416) return; // it ends before
      this.#checkAnswer(response);
      const now = part ? this.#seenPart(response, part, soFar) : seenOf(response);
      checkUnchanged(this.#uri, this.#seen, now);
      if (soFar.given === 0) soFar.first = now;
      this.#checkSame(soFar.first, now);
      const whole = now.size ?? Number.POSITIVE_INFINITY;
      const expected = range ? Math.max(0, Math.min(range.length, whole - range.offset)) : now.size;
      let bytes = soFar.given;
      for await (const piece of this.#piecesOf(response, soFar, { signal })) {
        bytes += piece.length;
        if (bytes > (expected ?? bytes)) throw this.#cut(expected, bytes);
        yield piece;
      }
      isRead = true;
      if (expected !== undefined && Number.isFinite(expected) && bytes !== expected)
        throw this.#cut(expected, bytes);
    } finally {
      // A body that nobody reads to its end would keep its connection.
      if (!isRead) await response.body?.cancel().catch(() => {});
    }
  }

  /** @throws StowageError `REFERENCE_CHANGED` where bytes that follow may be of another file than those that were given */
  #checkSame(first: SeenFile | undefined, now: SeenFile): void {
    if (first === undefined || first === now) return;
    checkUnchanged(this.#uri, first, now);
    if (!isSurelySame(first, now))
      throw changed(this.#uri, 'its server does not tell the same of it any more');
  }

  async *#piecesOf(
    response: Response,
    soFar: ReadSoFar,
    { signal }: CallOptions,
  ): AsyncGenerator<Uint8Array> {
    if (!response.body) return;
    try {
      for await (const piece of response.body) yield piece;
    } catch (error) {
      const fault = this.#faultOf('get', error, signal);
      if (soFar.given === 0 || canBeToldAgain(soFar.first) || !isPassing(fault)) throw fault;
      throw unreadable(
        this.#uri,
        `the connection broke after ${soFar.given} bytes (${messageOf((error as Error).cause ?? error)}), and its server tells neither ETag nor time, by which the rest could be asked for. Read it again.`,
        {},
        error,
      );
    }
  }

  /** Tries again what may pass. */
  async #trying<T>(operation: 'get' | 'head', { signal }: CallOptions, call: () => Promise<T>): Promise<T> {
    const name = shownUri(this.#uri);
    try {
      return await this.#policy.run({ operation, name, signal }, call);
    } catch (error) {
      if (!isPassing(error)) throw error;
      const { attempts, status } = error.details;
      throw unreadable(
        this.#uri,
        `${messageOf(error.cause)} It was tried ${attempts === 1 ? 'once' : `${attempts} times`}. Try again later, or correct the address.`,
        { ...(status === undefined ? {} : { status }), attempts },
        error,
      );
    }
  }

  /** One request, and those that it is redirected to. */
  async #ask(
    method: 'GET' | 'HEAD',
    headers: Record<string, string>,
    { signal }: CallOptions,
  ): Promise<Response> {
    let url = new URL(this.#uri);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await this.#fetch(url, method, headers, { signal });
      const location = response.headers.get('location');
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
      await response.body?.cancel();
      url = this.#redirected(url, location);
    }
    throw unreadable(this.#uri, `it was redirected more than ${MAX_REDIRECTS} times.`);
  }

  async #fetch(
    url: URL,
    method: string,
    headers: Record<string, string>,
    { signal }: CallOptions,
  ): Promise<Response> {
    try {
      const response = await fetch(url.href, {
        method,
        redirect: 'manual',
        credentials: 'omit',
        // As it is: of what is compressed on its way neither length nor ranges tell anything.
        headers: { 'accept-encoding': 'identity', ...headers },
        ...(signal && { signal }),
      });
      this.#isReached = true;
      return response;
    } catch (error) {
      throw this.#faultOf(method === 'HEAD' ? 'head' : 'get', error, signal);
    }
  }

  #redirected(from: URL, location: string): URL {
    const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
    const isSafe = to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:');
    if (to && isSafe && to.username === '' && to.password === '') return to;
    throw unreadable(
      this.#uri,
      `it was redirected to ${shownUri(location)}, which is not followed: redirects lead to http: and https: without a password, and not from the second to the first.`,
      { location: shownUri(location) },
    );
  }

  #checkAnswer({ status, statusText, ok, headers }: Response): void {
    if (ok) return;
    const answer = `the server answered ${`${status} ${statusText}`.trim()}.`;
    const waitMs = retryAfterMs(headers.get('retry-after') ?? undefined);
    if (codeOfStatus(status) === 'STORAGE_UNAVAILABLE')
      throw passing(answer, { status, ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }) });
    const remedy =
      status === 401 || status === 403
        ? 'Requests carry no credentials: give an address that needs none, such as a signed one.'
        : 'Try again later, or correct the address.';
    throw unreadable(this.#uri, `${answer} ${remedy}`, { status });
  }

  /** @throws StowageError `REFERENCE_UNREADABLE` where the server gives all, or another part, for the part that it was asked for */
  #seenPart(response: Response, part: ByteRange, { given }: ReadSoFar): SeenFile {
    const [, start, size] =
      /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
    if (response.status === 206 && Number(start) === part.offset && !isEncoded(response)) {
      return { ...seenOf(response), size: size === '*' ? undefined : Number(size) };
    }
    const none = 'its server does not give parts of it (it ignores Range).';
    throw unreadable(
      this.#uri,
      given === 0
        ? `${none} Read it whole, or download it.`
        : `the connection broke after ${given} bytes, and ${none} Read it again.`,
      { status: response.status },
    );
  }

  #cut(expected: number | undefined, bytes: number): Error {
    return changed(this.#uri, `its server announced ${expected} bytes, and gave ${bytes}`);
  }

  #faultOf(operation: string, error: unknown, signal: AbortSignal | undefined): unknown {
    throwIfAborted(signal);
    if (isStowageError(error)) return error;
    const why = `${messageOf((error as Error).cause ?? error)}.`;
    const request = { operation, name: shownUri(this.#uri), place: new URL(this.#uri).host };
    const lost = connectionError(error, request, this.#isReached);
    if (isPassing(lost)) return passing(why, lost.details, error);
    return unreadable(this.#uri, `${why} Check the address and the network.`, {}, error);
  }
}

/** What may be otherwise the next time. */
function passing(why: string, details: Readonly<Record<string, unknown>>, cause?: unknown): StowageError {
  return new StowageError('STORAGE_UNAVAILABLE', why, { details, cause });
}

function isPassing(error: unknown): error is StowageError {
  return isStowageError(error, 'STORAGE_UNAVAILABLE');
}

/** What is left of a part, or of the whole, of which some bytes were given; `undefined` stands for the whole. */
function restOf(range: ByteRange | undefined, given: number): ByteRange | undefined {
  if (!range) return given === 0 ? undefined : { offset: given, length: Number.POSITIVE_INFINITY };
  return { offset: range.offset + given, length: range.length - given };
}

/** An ETag that stands for bytes; a weak one (RFC 9110, section 8.8.3) stands for what they mean. */
function strongVersion({ version }: SeenFile): string | undefined {
  return version?.startsWith('W/') ? undefined : version;
}

/** True where a later answer can be told to be of the same bytes. */
function canBeToldAgain(seen: SeenFile | undefined): boolean {
  return seen !== undefined && isSurelySame(seen, seen);
}

function isSurelySame(a: SeenFile, b: SeenFile): boolean {
  const version = strongVersion(a);
  if (version !== undefined) return version === strongVersion(b);
  return a.modifiedAtMs !== undefined && a.modifiedAtMs === b.modifiedAtMs && a.size === b.size;
}

function isAbsent({ status }: Response): boolean {
  return status === 404 || status === 410;
}

function isEncoded({ headers }: Response): boolean {
  return (headers.get('content-encoding') ?? 'identity') !== 'identity';
}

function seenOf(response: Response): SeenFile {
  const { headers } = response;
  const length = isEncoded(response) ? null : headers.get('content-length');
  const modifiedAtMs = Date.parse(headers.get('last-modified') ?? '');
  return {
    size: length === null ? undefined : Number(length),
    version: headers.get('etag') ?? undefined,
    modifiedAtMs: Number.isNaN(modifiedAtMs) ? undefined : modifiedAtMs,
  };
}
