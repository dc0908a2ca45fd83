import { isStowageError, messageOf, throwIfAborted } from '../errors.ts';
import type { CallOptions } from '../storage/contract.ts';
import { changed, notFound, shownUri, unreadable } from './errors.ts';
import { checkUnchanged, type FileReadOptions, type FileSource, type SeenFile } from './file-source.ts';

const MAX_REDIRECTS = 10;

/**
 * A file behind `http:` or `https:`. No request carries credentials, wherever it is redirected to; redirects lead to `http:` and
 * `https:` alone, and never from the second to the first.
 */
export class HttpFile implements FileSource {
  readonly #uri: string;
  readonly #seen: SeenFile | undefined;

  constructor(uri: string, seen?: SeenFile) {
    this.#uri = uri;
    this.#seen = seen;
  }

  async look(options: CallOptions): Promise<SeenFile | undefined> {
    let response = await this.#ask('HEAD', {}, options);
    // A server that knows no HEAD is asked for the file, and not listened to.
    if ([405, 501].includes(response.status)) response = await this.#ask('GET', {}, options);
    await response.body?.cancel();
    if (isAbsent(response)) return undefined;
    this.#checkAnswer(response);
    return seenOf(response);
  }

  async *read({ range, signal }: FileReadOptions): AsyncGenerator<Uint8Array> {
    throwIfAborted(signal);
    if (range?.length === 0) return;
    const headers = range && { range: `bytes=${range.offset}-${range.offset + range.length - 1}` };
    const response = await this.#ask('GET', { ...headers }, { signal });
    let isRead = false;
    try {
      if (isAbsent(response)) throw notFound(this.#uri);
      if (range && response.status === 416) return; // it ends before
      this.#checkAnswer(response);
      const now = range ? this.#seenPart(response, range) : seenOf(response);
      checkUnchanged(this.#uri, this.#seen, now);
      const whole = now.size ?? Number.POSITIVE_INFINITY;
      const expected = range ? Math.max(0, Math.min(range.length, whole - range.offset)) : now.size;
      let bytes = 0;
      for await (const piece of this.#pieces(response, { signal })) {
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

  async *#pieces(response: Response, { signal }: CallOptions): AsyncGenerator<Uint8Array> {
    if (!response.body) return;
    try {
      for await (const piece of response.body) yield piece;
    } catch (error) {
      throw this.#faultOf(error, signal);
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
      return await fetch(url.href, {
        method,
        redirect: 'manual',
        credentials: 'omit',
        // As it is: of what is compressed on its way neither length nor ranges tell anything.
        headers: { 'accept-encoding': 'identity', ...headers },
        ...(signal && { signal }),
      });
    } catch (error) {
      throw this.#faultOf(error, signal);
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

  #checkAnswer({ status, statusText, ok }: Response): void {
    if (ok) return;
    const remedy =
      status === 401 || status === 403
        ? 'Requests carry no credentials: give an address that needs none, such as a signed one.'
        : 'Try again later, or correct the address.';
    throw unreadable(this.#uri, `the server answered ${`${status} ${statusText}`.trim()}. ${remedy}`, {
      status,
    });
  }

  /** @throws StowageError `REFERENCE_UNREADABLE` where the server gives all, or another part, for the part that it was asked for */
  #seenPart(response: Response, range: { offset: number }): SeenFile {
    const [, start, size] =
      /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
    if (response.status === 206 && Number(start) === range.offset && !isEncoded(response)) {
      return { ...seenOf(response), size: size === '*' ? undefined : Number(size) };
    }
    throw unreadable(
      this.#uri,
      'its server does not give parts of it (it ignores Range). Read it whole, or download it.',
      { status: response.status },
    );
  }

  #cut(expected: number | undefined, bytes: number): Error {
    return changed(this.#uri, `its server announced ${expected} bytes, and gave ${bytes}`);
  }

  #faultOf(error: unknown, signal: AbortSignal | undefined): unknown {
    throwIfAborted(signal);
    if (isStowageError(error)) return error;
    const { cause } = error as Error;
    return unreadable(
      this.#uri,
      `${messageOf(cause ?? error)}. Check the address and the network.`,
      {},
      error,
    );
  }
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
