import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LinkedAbort } from '../async/linked-abort.ts';
import { onAbort } from '../async/on-abort.ts';
import { isStowageError } from '../errors.ts';
import type { Failure } from './asked.ts';
import { MAX_ANSWER_BYTES } from './content-bounds.ts';
import { failureDocument } from './failure-document.ts';
import type { PageHost } from './page-host.ts';
import { PageRefusal } from './page-refusal.ts';
import { type PageRequest, readRequest } from './page-request.ts';
import { argvOf, FOLLOWED, QUESTIONS } from './questions.ts';
import { sendAnswer, sendText } from './send-answer.ts';
import { reportHeaders, sendContent } from './send-content.ts';
import { Turns } from './turns.ts';

/** The page of a store, as it is served. */
export interface ServedPage {
  /** `http://127.0.0.1:4711/<token>/` */
  url: string;
  /** Ends requests that are under way, and resolves once nothing of them goes on. */
  close(): Promise<void>;
}

/** How a page is served. */
export interface ServePageOptions {
  /** Default: one that is free. */
  port?: number;
  /** The folder of the page's own files. Default: where they are built. */
  assets?: URL;
}

/** Where the files of the page are, built beside the scripts of the package. */
export const PAGE_ASSETS: URL = new URL('../page/', import.meta.url);

/** The files of the page. */
const ASSETS: Readonly<Record<string, { file: string; type: string }>> = {
  '': { file: 'index.html', type: 'text/html; charset=utf-8' },
  'page.js': { file: 'page.js', type: 'text/javascript; charset=utf-8' },
  'page.css': { file: 'page.css', type: 'text/css; charset=utf-8' },
};

/** On every answer, unless it has others: nothing of another site reads it, frames it, or shares a process with it. */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

/** Commands that run at once, contents that are sent, reports that are loaded, each whole, and logs that are followed; and how many may wait for their turn. */
const COMMANDS = [8, 1_000] as const;
const CONTENTS = [32, 1_000] as const;
const REPORTS = [2, 1_000] as const;
const FOLLOWS = [64, 0] as const;
const MAX_CONNECTIONS = 1_024;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Serves the page of a store on this machine, to those who know its address.
 *
 * @throws what listening throws: `EADDRINUSE`, `EACCES`
 */
export async function servePage(host: PageHost, options: ServePageOptions = {}): Promise<ServedPage> {
  const token = randomBytes(24).toString('base64url');
  const ending = new AbortController();
  const running = new Set<Promise<void>>();
  const pages = new Pages(host, options);
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      const { port } = server.address() as AddressInfo;
      const serving = pages.serve(request, response, { port, token }, ending.signal);
      running.add(serving);
      void serving.finally(() => running.delete(serving));
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${token}/`,
    close: async () => {
      ending.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await Promise.all(running);
      await closed;
    },
  };
}

/** Answers requests. */
class Pages {
  readonly #host: PageHost;
  readonly #assets: URL;
  readonly #commands = new Turns(...COMMANDS);
  readonly #contents = new Turns(...CONTENTS);
  readonly #reports = new Turns(...REPORTS);
  readonly #follows = new Turns(...FOLLOWS);

  constructor(host: PageHost, { assets }: ServePageOptions) {
    this.#host = host;
    this.#assets = assets ?? PAGE_ASSETS;
  }

  /** Answers one request; never fails. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    where: { port: number; token: string },
    ending: AbortSignal,
  ): Promise<void> {
    const leaving = new LinkedAbort(ending);
    response.once('close', () => leaving.abort());
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    try {
      await this.#answer(readRequest(request, where), request, response, leaving.signal);
    } catch (error) {
      await this.#fail(request, response, error);
    } finally {
      leaving.release();
    }
  }

  async #answer(
    { parts, query }: PageRequest,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const [route, ...rest] = parts;
    switch (route) {
      case 'api':
        return this.#ask(rest.join(' '), query, request, response, signal);
      case 'follow':
        return this.#follow(rest.join(' '), query, request, response, signal);
      case 'content':
        return this.#contents.take(async () => {
          const { attempt, last: artifact } = attemptOf(rest);
          const entry = query.get('entry') ?? undefined;
          const download = query.has('download');
          const content = await this.#host.content({ ...attempt, artifact, entry, download }, signal);
          await sendContent(request, response, content, { download, signal });
        }, signal);
      case 'code':
        return this.#contents.take(async () => {
          const [flow, run, ...more] = rest;
          if (!flow || !run || more.length > 0) throw notFound();
          const entry = query.get('entry') ?? undefined;
          const content = await this.#host.code({ flow, run, entry }, signal);
          await sendContent(request, response, content, { download: true, signal });
        }, signal);
      case 'report':
        return this.#reports.take(() => this.#report(rest, query, request, response, signal), signal);
      default:
        return this.#asset(parts, request, response);
    }
  }

  /** The page shows a report in a frame, and an error in its place, as text. */
  async #report(
    parts: readonly string[],
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const { attempt, last: name } = attemptOf(parts);
    const download = query.has('download');
    let html: Uint8Array;
    try {
      html = await this.#host.report({ ...attempt, name }, signal);
    } catch (error) {
      if (download || isStowageError(error, 'ABORTED')) throw error;
      const failure = this.#host.failureOf(error);
      response.statusCode = statusOf(failure);
      html = failureDocument(failure);
    }
    for (const [header, value] of Object.entries(reportHeaders({ name, download })))
      response.setHeader(header, value);
    response.removeHeader('x-frame-options');
    await sendText(request, response, html);
  }

  async #ask(
    command: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const argv = argvOf(QUESTIONS, command, query);
    const answer = await this.#commands.take(() => this.#host.answer(argv, MAX_ANSWER_BYTES, signal), signal);
    if (answer.result === undefined && answer.error) response.statusCode = statusOf(answer.error);
    await sendAnswer(request, response, answer);
  }

  /** The output as it comes, a JSON document a line; an error that ends it is the last one: `{ "error": ... }`. */
  async #follow(
    command: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const [name = '', ...rest] = argvOf(FOLLOWED, command, query);
    await this.#follows.take(async () => {
      response.setHeader('content-type', 'application/x-ndjson; charset=utf-8');
      if (request.method === 'HEAD') return void response.end();
      response.flushHeaders(); // whoever reads knows that it has begun, though nothing is logged yet
      const write = (piece: Uint8Array): Promise<void> => written(response, piece, signal);
      const asked = [name, '--follow', ...rest];
      const error = await this.#host.follow(asked, { maxBytes: MAX_ANSWER_BYTES, write }, signal);
      if (error && !signal.aborted) response.write(`${JSON.stringify({ error })}\n`);
      response.end();
    }, signal);
  }

  async #asset(parts: readonly string[], request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (parts.length === 0) {
      // The page's own addresses are relative to the folder.
      response.statusCode = 308;
      response.setHeader('location', `${request.url?.split('?', 1)[0]}/`);
      return void response.end();
    }
    const path = parts.join('/');
    const asset = Object.hasOwn(ASSETS, path) ? ASSETS[path] : undefined;
    if (!asset) throw notFound();
    response.setHeader('content-type', asset.type);
    await sendText(request, response, await readFile(new URL(asset.file, this.#assets)));
  }

  /** Tells an error, unless a part of something else was sent already: then the connection breaks off. */
  async #fail(request: IncomingMessage, response: ServerResponse, error: unknown): Promise<void> {
    const isGone = isStowageError(error, 'ABORTED'); // nobody is there any more
    if (isGone || response.headersSent || response.destroyed) return void response.destroy();
    const failure = error instanceof PageRefusal ? error.failure : this.#host.failureOf(error);
    response.statusCode = error instanceof PageRefusal ? error.status : statusOf(failure);
    if (error instanceof PageRefusal && error.status === 405) response.setHeader('allow', 'GET, HEAD');
    await sendAnswer(request, response, { error: failure });
  }
}

/** Resolves once there is room for more. */
function written(response: ServerResponse, piece: Uint8Array, signal: AbortSignal): Promise<void> {
  if (response.write(piece) || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      forget();
      response.off('drain', settle);
      resolve();
    };
    const forget = onAbort(signal, settle);
    response.once('drain', settle);
  });
}

/** `<flow>/<run>/<step>/<task>/<attempt>/<name>`; names are checked where they are read by. */
function attemptOf(parts: readonly string[]): {
  attempt: { flow: string; run: string; step: string; task: string; attempt: number };
  last: string;
} {
  const [flow, run, step, task, number = '', last, ...more] = parts;
  const isWhole = flow && run && step && task && last && more.length === 0;
  if (!isWhole || !/^(0|[1-9]\d{0,14})$/.test(number)) throw notFound();
  return { attempt: { flow, run, step, task, attempt: Number(number) }, last };
}

function notFound(): PageRefusal {
  return new PageRefusal(404, 'REFUSED', 'The page has nothing at this address.');
}

function statusOf({ code }: Failure): number {
  if (/_NOT_FOUND$/.test(code) || code === 'NO_SUCH_ENTRY') return 404;
  return code === 'USAGE' || code.startsWith('INVALID_') ? 400 : 500;
}
