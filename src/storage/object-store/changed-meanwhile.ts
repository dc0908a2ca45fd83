import { StowageError } from '../../errors.ts';

/** An object that was to be overwritten at one version has another one, or is gone. */
export function preconditionFailed(name: string, ifMatch: string): StowageError {
  return new StowageError(
    'PRECONDITION_FAILED',
    `"${name}" is not at version ${ifMatch} any more; read it again before you replace it.`,
    { details: { name, ifMatch } },
  );
}

/** An object that was read in parts became another one in between: as a whole it can be read again. */
export function replacedMeanwhile(name: string): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `"${name}" was replaced or deleted while it was read; read it again.`,
    { details: { operation: 'get', name } },
  );
}
