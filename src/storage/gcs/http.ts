import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as overHttp } from 'node:http';
import { request as overTls, Agent as TlsAgent } from 'node:https';

const MAX_SOCKETS = 128;

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Pieces that are sent one after the other, so that nothing is copied to put them together. */
  body?: readonly Uint8Array[] | undefined;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Must be read to its end, or destroyed. */
  body: IncomingMessage;
}

/**
 * Sends HTTP requests, and keeps their connections for the next ones. Redirects are answers; nothing is decompressed.
 * Proxies that the environment names are used by Node.js from 22.21 and 24.5 on.
 */
export class HttpConnections {
  readonly #agents: { 'http:': Agent; 'https:': TlsAgent };

  /** @param idleTimeoutMs the longest time in which nothing is sent or received before a request fails with `ETIMEDOUT` */
  constructor(idleTimeoutMs: number) {
    const options = {
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      timeout: idleTimeoutMs,
      proxyEnv: process.env,
    };
    this.#agents = { 'http:': new Agent(options), 'https:': new TlsAgent(options) };
  }

  /** Resolves when the answer begins. Rejects with an error of Node.js; `signal` ends the answer's body too. */
  send({ method, url, headers, body = [] }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const target = new URL(url);
      const isTls = target.protocol === 'https:';
      const agent = isTls ? this.#agents['https:'] : this.#agents['http:'];
      const length = body.reduce((bytes, piece) => bytes + piece.length, 0);
      const sent = (isTls ? overTls : overHttp)(target, {
        method,
        headers: method === 'GET' ? headers : { ...headers, 'Content-Length': length },
        agent,
        signal,
      });
      let answer: IncomingMessage | undefined;
      sent.on('error', reject);
      sent.on('timeout', () => (answer ?? sent).destroy(timeoutError(target.host)));
      sent.on('response', (incoming) => {
        answer = incoming;
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: incoming });
      });
      for (const piece of body) sent.write(piece);
      sent.end();
    });
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }
}

function timeoutError(host: string): Error {
  return Object.assign(new Error(`${host} neither sent nor took anything for too long.`), {
    code: 'ETIMEDOUT',
  });
}
