import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { contentHeaders } from './content-headers.ts';
import type { ServedContent } from './page-host.ts';
import { contentRange, rangeOf } from './ranges.ts';
import { sendAnswer } from './send-answer.ts';

/** Sends a content, or the part of it that is asked for, piece by piece. */
export async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  content: ServedContent,
  { download, signal }: { download: boolean; signal: AbortSignal },
): Promise<void> {
  const { name, type, size, isFixed } = content;
  const { headers } = request;
  const tag = `${isFixed ? '' : 'W/'}"${encodeURIComponent(content.tag)}"`;
  const isPart = isFixed && (headers['if-range'] ?? tag) === tag;
  const range = size === undefined || !isPart ? undefined : rangeOf(headers.range, size);
  response.setHeader('etag', tag);
  response.setHeader('cache-control', 'private, no-cache');
  response.setHeader('accept-ranges', size === undefined || !isFixed ? 'none' : 'bytes');
  if (isFixed && hasTag(headers['if-none-match'], tag)) {
    response.statusCode = 304;
    return void response.end();
  }
  if (range === 'unsatisfiable') {
    response.statusCode = 416;
    response.setHeader('content-range', `bytes */${size}`);
    const message = `There are no such bytes (${headers.range}) of ${size}.`;
    return sendAnswer(request, response, { error: { code: 'USAGE', message } });
  }
  const setAll = (): void => {
    for (const [header, value] of Object.entries(contentHeaders({ name, type, download })))
      response.setHeader(header, value);
    if (range && size !== undefined) response.setHeader('content-range', contentRange(range, size));
    response.statusCode = range ? 206 : 200;
    const length = range ? range.length : size;
    if (length !== undefined) response.setHeader('content-length', length);
  };
  if (request.method === 'HEAD') {
    setAll();
    return void response.end();
  }
  const pieces = content.open(range, signal)[Symbol.asyncIterator]();
  // What fails before its first byte is told by an answer; later, the connection breaks off.
  const first = await pieces.next();
  setAll();
  await pipeline(Readable.from(joined(first, pieces)), response);
}

/** The headers of a report: a page that users made, of which nothing runs. */
export function reportHeaders({
  name,
  download,
}: {
  name: string;
  download: boolean;
}): Record<string, string> {
  return contentHeaders({ name: `${name}.html`, type: 'text/html', download });
}

async function* joined(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let piece = first; !piece.done; piece = await rest.next()) yield piece.value;
  } finally {
    await rest.return?.();
  }
}

function hasTag(header = '', tag: string): boolean {
  return header.split(',').some((one) => one.trim() === tag || one.trim() === '*');
}
