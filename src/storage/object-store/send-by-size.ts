import { readChunks } from '../../streams/body-stream.ts';
import { partsOfBytes, partsOfStream } from '../bucket/parts.ts';

/** Bytes that are in memory anyway go by one request up to this many parts: one is cheaper than five or six. */
const PARTS_IN_ONE_PUT = 4;

/** The two ways that an object is sent. */
export interface WaysToSend {
  /** How large part `index` is, in bytes. */
  bytesAt: (index: number) => number;
  byOneRequest: (body: Uint8Array) => Promise<boolean>;
  inParts: (parts: AsyncIterable<Uint8Array>) => Promise<boolean>;
}

/** Sends bytes in the way that their length demands. */
export function sendBytes(
  body: Uint8Array,
  { bytesAt, byOneRequest, inParts }: WaysToSend,
): Promise<boolean> {
  if (body.length <= bytesAt(0) * PARTS_IN_ONE_PUT) return byOneRequest(body);
  return inParts(partsOfBytes(body, bytesAt));
}

/** Sends a stream, of which the first part tells whether there is more than that. It is read until `signal` is aborted. */
export async function sendStream(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  { bytesAt, byOneRequest, inParts }: WaysToSend,
): Promise<boolean> {
  const parts = partsOfStream(readChunks(body, signal), bytesAt);
  try {
    const first = (await parts.next()).value as Uint8Array;
    if (first.length === bytesAt(0)) return await inParts(startingWith(first, parts));
    return await byOneRequest(first);
  } finally {
    await parts.return();
  }
}

async function* startingWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T, void> {
  yield first;
  yield* rest;
}
