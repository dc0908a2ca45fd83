import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { PageRefusal } from './page-refusal.ts';

/** Longer addresses are refused. */
const MAX_URL_LENGTH = 8 * 1024;

/** A request that the page itself may have made. */
export interface PageRequest {
  /** Behind the token, its parts decoded. */
  parts: readonly string[];
  query: URLSearchParams;
}

/** Where the page is served. */
export interface PageOrigin {
  port: number;
  /** The first part of every address. */
  token: string;
}

/**
 * Reads a request.
 *
 * @throws PageRefusal for every method but GET and HEAD; for a host name that is not this machine's own, by which the page of somebody
 * else could be taken for this one (DNS rebinding); for one that the page of somebody else has a browser make; without the token
 */
export function readRequest(request: IncomingMessage, { port, token }: PageOrigin): PageRequest {
  const { method, url = '', headers } = request;
  if (method !== 'GET' && method !== 'HEAD')
    throw new PageRefusal(405, 'REFUSED', `The page is only read: GET and HEAD, not ${method}.`);
  const { host = '' } = headers;
  if (!isLoopback(host, port)) throw refused(`The page has no host ${JSON.stringify(host)}.`);
  const { origin, 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = headers;
  if (origin !== undefined && origin !== `http://${host}`)
    throw refused('A page of another origin asks, and gets nothing.');
  if (url.length > MAX_URL_LENGTH)
    throw new PageRefusal(414, 'USAGE', `The address is longer than ${MAX_URL_LENGTH} characters.`);
  const at = url.indexOf('?');
  const path = at === -1 ? url : url.slice(0, at);
  const [root, given = '', ...parts] = path.split('/');
  if (root !== '' || !isEqual(given, token))
    throw refused('The address lacks the token of this page: open the address that stowage ui printed.');
  const isOfOthers = site !== undefined && site !== 'same-origin' && site !== 'none';
  // A link may lead to the page, which tells nothing itself: what it asks is asked by itself.
  const isLink = mode === 'navigate' && dest === 'document' && parts.length === 1 && parts[0] === '';
  if (isOfOthers && !isLink)
    throw refused(
      'A page of another site leads here. Copy the address that stowage ui printed to the address bar.',
    );
  return { parts: parts.map(decoded), query: new URLSearchParams(at === -1 ? '' : url.slice(at + 1)) };
}

function isLoopback(host: string, port: number): boolean {
  const names = ['127.0.0.1', 'localhost', '[::1]'];
  const isNamed = (given: string): boolean => names.includes(given.toLowerCase());
  if (port === 80 && isNamed(host)) return true;
  return host.endsWith(`:${port}`) && isNamed(host.slice(0, -`:${port}`.length));
}

/** In the same time whatever is given, so that the time tells nothing of the token. */
function isEqual(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new PageRefusal(400, 'USAGE', `The address has a part that is no text: ${JSON.stringify(part)}.`);
  }
}

function refused(message: string): PageRefusal {
  return new PageRefusal(403, 'REFUSED', message);
}
