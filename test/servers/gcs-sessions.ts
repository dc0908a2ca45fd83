import { createServer, type IncomingHttpHeaders, type IncomingMessage, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came. */
export interface SeenRequest {
  method: string;
  /** Path and query. */
  path: string;
  headers: IncomingHttpHeaders;
}

/** What becomes of a request on its way, if anything. */
export interface Tampering {
  /** Another body, of which the checksum is no more what the client said. */
  body?: Buffer;
  /** Of the bytes of a part only so many are kept, as Cloud Storage may choose to. */
  keepOnly?: number;
  /** Another path or query. */
  path?: string;
}

/**
 * What fake-gcs-server 1.56 lacks of resumable uploads (fsouza/fake-gcs-server#2354): it takes the question how far one
 * has come for its end, and always keeps the whole of a part. This stands before it, answers the question, and can keep
 * less. All other requests pass as they are, unless a test tampers with them.
 */
export interface GcsSessions {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** All requests, in the order they came. */
  readonly seen: SeenRequest[];
  tamper: (request: SeenRequest, body: Buffer) => Tampering | undefined;
  stop(): Promise<void>;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

const PART = /^bytes (\d+)-(\d+)\//;

export async function startGcsSessions(target: string): Promise<GcsSessions> {
  const keptOf = new Map<string, number>();
  const endOf = new Map<string, Answer>();
  const server = createServer(async (incoming, outgoing) => {
    const { method = '', url: path = '', headers } = incoming;
    const seen = { method, path, headers };
    sessions.seen.push(seen);
    const body = await readAll(incoming);
    const answer = await answerTo(seen, body).catch(() => undefined);
    if (!answer) incoming.socket.destroy();
    else outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  });

  const answerTo = async (request: SeenRequest, body: Buffer): Promise<Answer> => {
    const id = /[?&]upload_id=([^&]+)/.exec(request.path)?.[1];
    const range = request.headers['content-range'] ?? '';
    if (id === undefined || request.method !== 'PUT') {
      return pass(target, request, body, sessions.tamper(request, body));
    }
    const end = endOf.get(id);
    if (end && range.startsWith('bytes */')) return end;
    if (range === 'bytes */*') return stillOpen(keptOf.get(id) ?? 0);
    const tampering = sessions.tamper(request, body);
    const [, first] = PART.exec(range) ?? [];
    const keepOnly = first === undefined ? undefined : tampering?.keepOnly;
    const answer = await pass(target, kept(request, first, keepOnly), body.subarray(0, keepOnly), tampering);
    if (answer.status !== 308) endOf.set(id, answer);
    else if (first !== undefined) {
      keptOf.set(id, Number(first) + (keepOnly ?? body.length));
      return stillOpen(keptOf.get(id) ?? 0);
    }
    return answer;
  };

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sessions: GcsSessions = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    tamper: () => undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return sessions;
}

/** The request of a part of which only the beginning arrives. */
function kept(request: SeenRequest, first: string | undefined, keepOnly: number | undefined): SeenRequest {
  if (first === undefined || keepOnly === undefined) return request;
  const range = `bytes ${first}-${Number(first) + keepOnly - 1}/*`;
  return { ...request, headers: { ...request.headers, 'content-range': range } };
}

function pass(target: string, request: SeenRequest, body: Buffer, tampering?: Tampering): Promise<Answer> {
  const { method, headers } = request;
  const sent = tampering?.body ?? body;
  return new Promise((resolve, reject) => {
    const onward = send(new URL(tampering?.path ?? request.path, target), {
      method,
      headers: { ...headers, 'content-length': sent.length },
    });
    onward.on('error', reject);
    onward.on('response', (back) => {
      const { statusCode: status = 502, headers: given } = back;
      readAll(back).then((bytes) => resolve({ status, headers: given, body: bytes }), reject);
    });
    onward.end(sent);
  });
}

function stillOpen(bytes: number): Answer {
  const headers = bytes > 0 ? { range: `bytes=0-${bytes - 1}` } : {};
  return { status: 308, headers: { ...headers, 'content-length': '0' }, body: Buffer.alloc(0) };
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
