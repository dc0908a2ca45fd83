import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';

/** What happens to one request on its way to a server. */
export type ProxyFault =
  /** It never arrives, and the connection is lost. */
  | { kind: 'lost' }
  /** It arrives and takes effect, but the connection is lost before the answer. */
  | { kind: 'answer lost' }
  /** One bit of the request's body is turned over. */
  | { kind: 'flip' }
  /** The answer's body ends after half of its bytes, with the connection. */
  | { kind: 'cut' }
  /** One bit of the answer's body is turned over, in its middle. */
  | { kind: 'flip answer' }
  /** Nothing ever happens. */
  | { kind: 'silence' }
  /** Somebody in between answers. */
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string };

/** Decides what happens to a request; `undefined` passes it on. `count` requests came before. */
export type ProxyPlan = (
  method: string,
  path: string,
  count: number,
) => ProxyFault | undefined | Promise<ProxyFault | undefined>;

/** A proxy that passes on HTTP byte by byte, signatures included, and makes of it what its plan says. */
export interface FaultyProxy {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Method and path of every request, in the order they came. */
  readonly seen: string[];
  plan: ProxyPlan;
  stop(): Promise<void>;
}

/**
 * Starts a proxy before a server of this process's own; it stands in for faults that no server has on demand.
 *
 * @param port where it listens; that of one that was stopped, say. Default: a free one
 */
export async function startFaultyProxy(target: string, port = 0): Promise<FaultyProxy> {
  const seen: string[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const { method = '', url = '' } = incoming;
    const count = seen.push(`${method} ${url}`) - 1;
    const fault = await proxy.plan(method, url, count);
    if (fault?.kind === 'silence') return;
    if (fault?.kind === 'lost') incoming.socket.destroy();
    else if (fault?.kind === 'answer') answer(incoming, outgoing, fault);
    else forward(target, incoming, outgoing, fault);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  const proxy: FaultyProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    plan: () => undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;
}

function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: ProxyFault & { kind: 'answer' },
): void {
  // Read to its end first, so that the client is not still sending when the answer comes.
  incoming.resume().on('end', () => {
    const body = incoming.method === 'HEAD' ? '' : (fault.body ?? '');
    const isChunked = fault.headers?.['transfer-encoding'] === 'chunked';
    const length = isChunked ? {} : { 'content-length': Buffer.byteLength(body) };
    outgoing.writeHead(fault.status, { ...length, ...fault.headers });
    outgoing.end(body);
  });
}

function forward(
  target: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: ProxyFault | undefined,
): void {
  const { method, headers } = incoming;
  const onward = request(new URL(incoming.url ?? '/', target), { method, headers }, (back) => {
    if (fault?.kind === 'answer lost') {
      back.resume().on('end', () => incoming.socket.destroy());
      return;
    }
    outgoing.writeHead(back.statusCode ?? 502, back.headers);
    const half = Number(back.headers['content-length']) >> 1;
    if (fault?.kind === 'flip answer') {
      back.pipe(bitFlipper(half)).pipe(outgoing);
      return;
    }
    // There is nothing to cut off an answer without a body, or of an unknown length.
    if (fault?.kind !== 'cut' || !(half > 0)) {
      back.pipe(outgoing);
      return;
    }
    let left = half;
    back.on('data', (chunk: Buffer) => {
      outgoing.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) incoming.socket.destroy();
    });
  });
  // The target hangs up, or the client does: the other one learns it the same way.
  onward.on('error', () => incoming.socket.destroy());
  incoming.on('close', () => incoming.complete || onward.destroy());
  if (fault?.kind === 'flip') incoming.pipe(bitFlipper(0)).pipe(onward);
  else incoming.pipe(onward);
}

function bitFlipper(offset: number): Transform {
  let left = offset;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (left >= 0 && left < chunk.length) chunk[left] = (chunk[left] as number) ^ 1;
      left -= chunk.length;
      done(null, chunk);
    },
  });
}
