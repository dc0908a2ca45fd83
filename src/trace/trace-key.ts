import { inspect } from 'node:util';
import { type SourceFunction, sourceOf } from '../cache/function-source.ts';
import { valueDigest } from '../cache/key-encoding.ts';
import { jsonText } from '../codec/json-text.ts';
import { digestHex } from '../digest/blake3.ts';
import { invalidArgument, isStowageError, messageOf, StowageError } from '../errors.ts';
import { validateUserName } from '../storage/names.ts';
import { isNativeFunction } from '../values/intrinsics.ts';
import type { SerializerRegistry } from '../values/registry.ts';

const DOMAIN = 'stowage trace 1';

/**
 * Checks what is to be traced.
 *
 * @throws StowageError `INVALID_NAME`; `INVALID_ARGUMENT` for what is no function, or one whose source cannot be seen
 */
export function checkTraced(name: string, fn: unknown): void {
  validateUserName(name, 'trace name');
  if (typeof fn !== 'function')
    throw invalidArgument(`Trace "${name}" takes a function, not ${inspect(fn)}.`);
  if (!isNativeFunction(fn)) return;
  throw invalidArgument(
    `The function of trace "${name}" is bound, a Proxy, or part of the runtime, so that nobody could tell when it changes. Wrap it in a function: (...args) => method(...args).`,
    { trace: name },
  );
}

/** The digest of one argument of a call, as cache keys have it. */
export function argumentDigest(
  name: string,
  value: unknown,
  index: number,
  registry: SerializerRegistry,
): string {
  try {
    return valueDigest(value, { taskName: name, root: `arguments[${index}]` }, registry);
  } catch (error) {
    if (!isStowageError(error, 'UNKEYABLE_VALUE')) throw error;
    const { path, reason } = error.details;
    throw new StowageError(
      'UNKEYABLE_VALUE',
      `A call of trace "${name}" cannot be told from others: ${String(path)} is ${String(reason)}. Pass what can be saved, and let the function close over the rest (clients, signals, callbacks).`,
      { details: { trace: name, path, reason }, cause: error },
    );
  }
}

/**
 * The text that equal calls share (docs/format.md, "Traces"): name, source of the function without comments and layout, and arguments.
 *
 * @throws StowageError `INVALID_ARGUMENT` for source that cannot be parsed
 */
export async function equalCalls(
  name: string,
  fn: SourceFunction,
  inputs: readonly string[],
): Promise<string> {
  let source: string;
  try {
    source = (await sourceOf(fn)).digest;
  } catch (cause) {
    if (isStowageError(cause)) throw cause; // the parser could not be loaded
    throw new StowageError(
      'INVALID_ARGUMENT',
      `The source of the function of trace "${name}" cannot be parsed, so that nobody could tell when it changes: ${messageOf(cause)}. Trace a function of plain syntax that calls it.`,
      { details: { trace: name }, cause },
    );
  }
  return jsonText([DOMAIN, name, source, inputs]);
}

/** The digest of the `ordinal`-th of equal calls, from 0: the name of its record. */
export function callDigest(equal: string, ordinal: number): string {
  return digestHex(Buffer.from(`${equal.slice(0, -1)},${ordinal}]`));
}
