import { request as httpRequest } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import type { Answer } from '../../src/page/asked.ts';
import { type Running, startStowage } from '../cli/running.ts';

/** A response as it came. */
export interface Response {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}

/** A page that is served. */
export interface Served extends Running {
  url: string;
  /** Behind the token. */
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  ask(path: string): Promise<Answer & { status: number }>;
}

/** Serves a page of a store until the test has ended. */
export async function serveStore(store: string): Promise<Served> {
  const running = startStowage(store, ['ui']);
  onTestFinished(async () => {
    running.interrupt();
    await running.ended;
  });
  await Promise.race([running.stdout.has('\n'), running.ended]);
  const url = running.stdout.text.trim();
  if (url === '') throw new Error(running.stderr.text);
  // As it is given: a URL would take `..` out of it.
  const get: Served['get'] = (path, headers) =>
    send(url, { headers, path: `${new URL(url).pathname}${path}` });
  const ask: Served['ask'] = async (path) => {
    const { status, body } = await get(`api/${path}`);
    return { status, ...(JSON.parse(body.toString()) as Answer) };
  };
  return { ...running, url, get, ask };
}

/** Sends one request on a connection of its own, with any headers, and decompresses its answer. */
export function send(
  url: string,
  {
    method = 'GET',
    headers = {},
    path,
  }: { method?: string; headers?: Record<string, string> | undefined; path?: string } = {},
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method, headers, agent: false, ...(path === undefined ? {} : { path }) });
    sent.once('error', reject);
    sent.once('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.once('error', reject);
      response.once('end', () => {
        const raw = Buffer.concat(pieces);
        const isZipped = response.headers['content-encoding'] === 'gzip' && raw.length > 0;
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers as Record<string, string>,
          body: isZipped ? gunzipSync(raw) : raw,
        });
      });
    });
    sent.end();
  });
}
