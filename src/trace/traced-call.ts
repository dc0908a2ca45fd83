import { invalidArgument, type StowageError } from '../errors.ts';

/** A promise that can be iterated as well, where it comes to an async iterable. */
export function iterableCall(
  name: string,
  result: Promise<unknown>,
): Promise<unknown> & AsyncIterable<unknown> {
  const iterate = async function* (): AsyncGenerator<unknown, void> {
    const stream = await result;
    if (!isStream(stream)) throw notStream(name);
    yield* stream;
  };
  return Object.assign(result, { [Symbol.asyncIterator]: iterate });
}

export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

export function notStream(name: string): StowageError {
  return invalidArgument(
    `The function of trace "${name}" returned no async iterable, so that it cannot be iterated: await the call.`,
    { trace: name },
  );
}
