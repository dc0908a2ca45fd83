import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Answer, answerJson } from './asked.ts';

/** Shorter ones are sent as they are. */
const MIN_GZIP_BYTES = 1024;

const compressed = promisify(gzip);

/** Sends an answer, whose result is JSON already. */
export async function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer<string>,
): Promise<void> {
  response.setHeader('content-type', 'application/json; charset=utf-8');
  await sendText(request, response, Buffer.from(answerJson(answer)));
}

/** Sends text, compressed where the browser takes that. Its type is set already. */
export async function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  text: Uint8Array,
): Promise<void> {
  const takesGzip = /(?:^|,)\s*gzip\s*(?:,|;\s*q=(?!0(?:\.0*)?\s*(?:,|$))|$)/.test(
    String(request.headers['accept-encoding'] ?? ''),
  );
  const isZipped = takesGzip && text.length >= MIN_GZIP_BYTES;
  const body = isZipped ? await compressed(text) : text;
  response.setHeader('vary', 'accept-encoding');
  if (isZipped) response.setHeader('content-encoding', 'gzip');
  response.setHeader('content-length', body.length);
  if (request.method === 'HEAD') response.end();
  else response.end(body);
}
