import { StowageError } from '../../errors.ts';

/**
 * Fills `target` with the body of a response, to its end, so that its connection can be used again and its checksum is
 * checked. A body of another length was cut short on its way, or is not what was asked for.
 *
 * @throws StowageError `STORAGE_UNAVAILABLE`; and what the stream throws
 */
export async function readBodyInto(
  target: Uint8Array,
  body: AsyncIterable<Uint8Array>,
  name: string,
): Promise<void> {
  let received = 0;
  for await (const chunk of body) {
    if (received + chunk.length <= target.length) target.set(chunk, received);
    received += chunk.length;
  }
  if (received !== target.length) throw wrongLength(name, received, target.length);
}

/**
 * Fills `target` with the beginning of a body, and gives up the rest.
 *
 * @throws StowageError `STORAGE_UNAVAILABLE`; and what the stream throws
 */
export async function readBeginningInto(
  target: Uint8Array,
  body: AsyncIterable<Uint8Array>,
  name: string,
): Promise<void> {
  let received = 0;
  for await (const chunk of body) {
    target.set(chunk.subarray(0, target.length - received), received);
    received += chunk.length;
    if (received >= target.length) return;
  }
  throw wrongLength(name, received, target.length);
}

function wrongLength(name: string, received: number, expected: number): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `The body of "${name}" has ${received} bytes instead of ${expected}: the connection broke. Try again.`,
    { details: { operation: 'get', name, received, expected } },
  );
}
