import { isStowageError, StowageError } from '../errors.ts';
import { Refusal, refusalOf } from '../values/faults.ts';
import { shownPath } from '../values/value-path.ts';

/** `UNKEYABLE_VALUE`: the task, the path inside its input or configuration, and what to do. */
export function unkeyable(taskName: string, path: string, fault: unknown): StowageError {
  const { what, remedy, cause } = isStowageError(fault, 'UNSERIALIZABLE_ARTIFACT')
    ? refusedArtifact(fault)
    : refusalOf(fault);
  return new StowageError(
    'UNKEYABLE_VALUE',
    `Task "${taskName}" has no cache key: ${shownPath(path)} is ${what}. ${remedy}${isInInput(path) ? IGNORE : ''}`,
    { details: { task: taskName, path, reason: what }, cause },
  );
}

const IGNORE =
  ' If it does not change the result, name the member of the input that holds it in `ignoredInputs`.';

function isInInput(path: string): boolean {
  return path.includes('input.') || path.includes('input[');
}

/** Tells the refusal of a serializer in its own words, without the name of an artifact, as there is none. */
function refusedArtifact(fault: StowageError): { what: string; remedy: string; cause: unknown } {
  const what = String(fault.details.reason);
  const remedy = fault.message.slice(fault.message.indexOf(what) + what.length).replace(/^\. /, '');
  return { what, remedy, cause: fault };
}

/** `INVALID_ARGUMENT` about how a task is defined or called. */
export function invalidTask(
  taskName: string,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): StowageError {
  return new StowageError('INVALID_ARGUMENT', `Task "${taskName}": ${message}`, {
    details: { task: taskName, ...details },
    cause,
  });
}

/** The fault of a value, or a part of it, whose key would take more than `maxBytes` to make. */
export function tooLarge(maxBytes: number): Refusal {
  return new Refusal(
    `too large, or where the whole becomes so: its cache key would take more than ${maxBytes} bytes to make`,
    'Pass its parts as files or bytes, give it a digest of its own (`CACHE_DIGEST`), or raise `maxBytes` of the SerializerRegistry; an object that is reached several times counts each time.',
  );
}
