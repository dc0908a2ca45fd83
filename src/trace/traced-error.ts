import { attempted, isStowageError } from '../errors.ts';
import { recordError } from '../format/recorded-error.ts';
import type { RecordedError } from '../format/session-files.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { SerializedArtifact } from '../values/serializer.ts';

/**
 * Serializes what a call threw, whole where that can be saved. Else, of a class that nobody registered or with a socket in it, an error of the same name,
 * message, stack, causes and plain members.
 */
export function serializeThrown(
  name: string,
  thrown: unknown,
  registry: SerializerRegistry,
): SerializedArtifact {
  try {
    return registry.serialize(name, thrown);
  } catch (error) {
    if (!isStowageError(error, 'UNSERIALIZABLE_ARTIFACT')) throw error;
    return registry.serialize(name, plainError(thrown));
  }
}

function plainError(thrown: unknown): Error {
  const error = errorOf(recordError(thrown));
  for (const key of attempted(() => Object.keys(thrown as object)) ?? []) {
    const value: unknown = attempted(() => (thrown as Record<string, unknown>)[key]);
    if (isPlain(value) && !(key in error)) set(error, key, value, true);
  }
  return error;
}

function errorOf({ name, message, stack, cause, errors, recoverable }: RecordedError): Error {
  const error = errors ? new AggregateError(errors.map(errorOf), message) : new Error(message);
  if (error.name !== name) set(error, 'name', name);
  set(error, 'stack', stack ?? `${name}: ${message}`);
  if (cause) set(error, 'cause', errorOf(cause));
  if (recoverable !== undefined) set(error, 'recoverable', recoverable, true);
  return error;
}

function set(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean', 'bigint'].includes(typeof value);
}
