import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Answer } from './asked.ts';

/** Answers a question of the page by the command line: `argv` without `--json` and `--store`. */
export type AnswerBy = (argv: readonly string[], signal: AbortSignal) => Promise<Answer<string>>;

/** The page of a store, as it is served. */
export interface ServedPage {
  /** `http://127.0.0.1:4711/<token>/` */
  url: string;
  close(): Promise<void>;
}

/** The files of the page, built beside the scripts of the package. */
const ASSETS: Readonly<Record<string, { file: string; type: string }>> = {
  '': { file: 'index.html', type: 'text/html; charset=utf-8' },
  'page.js': { file: 'page.js', type: 'text/javascript; charset=utf-8' },
  'page.css': { file: 'page.css', type: 'text/css; charset=utf-8' },
};

/** The commands that the page may ask, with the options that it may give them. */
const QUESTIONS: Readonly<Record<string, readonly string[]>> = {
  runs: ['limit', 'tag', 'status', 'since'],
  ls: ['status'],
  show: ['attempt'],
  find: ['step', 'metadata', 'artifact', 'type', 'key', 'tag', 'status', 'since', 'all-attempts', 'limit'],
  lineage: ['up', 'down', 'limit'],
  du: ['by', 'limit'],
  stat: ['by'],
  diff: ['details', 'limit'],
  gc: [],
  fsck: ['quick'],
  published: ['limit'],
  'cache ls': ['task', 'scope', 'since', 'older-than', 'limit'],
  'cache show': [],
  'cache stats': [],
  'cache explain': [],
};

export async function servePage(answerBy: AnswerBy, { port = 0 }: { port?: number }): Promise<ServedPage> {
  const token = randomBytes(24).toString('base64url');
  const root = `/${token}/`;
  const server = createServer((request, response) => void serve(request, response));

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    response.setHeader('cache-control', 'no-store');
    response.setHeader(
      'content-security-policy',
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    if (request.method !== 'GET' || !url.pathname.startsWith(root)) return end(response, 404, 'not found');
    const path = url.pathname.slice(root.length);
    const asset = ASSETS[path];
    if (asset) {
      const bytes = await readFile(new URL(`../page/${asset.file}`, import.meta.url));
      response.setHeader('content-type', asset.type);
      response.end(bytes);
      return;
    }
    if (!path.startsWith('api/')) return end(response, 404, 'not found');
    const command = decodeURIComponent(path.slice('api/'.length)).replaceAll('/', ' ');
    const allowed = QUESTIONS[command];
    if (!allowed) return end(response, 404, 'not found');
    const argv = command.split(' ');
    const args: string[] = [];
    for (const [name, value] of url.searchParams) {
      if (name === 'arg') args.push(value);
      else if (allowed.includes(name)) argv.push(value === '' ? `--${name}` : `--${name}=${value}`);
    }
    const ending = new AbortController();
    response.once('close', () => ending.abort());
    const { result = 'null', error } = await answerBy([...argv, '--', ...args], ending.signal);
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.end(`{"result":${result}${error ? `,"error":${JSON.stringify(error)}` : ''}}`);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const { port: chosen } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${chosen}${root}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function end(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.end(text);
}
