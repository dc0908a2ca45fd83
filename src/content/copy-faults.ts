import { StowageError } from '../errors.ts';

/** That an object (a copy, a pack, a plain object) is not whole: `details.object` is what to mark, `details.reason` why. */
export function damagedObject(object: string, reason: string, details: { pack?: string } = {}): StowageError {
  return new StowageError('CONTENT_DAMAGED', `${object} is damaged: ${reason}`, {
    details: { object, reason, ...details },
  });
}

/** That an object which a record or a copy names is not there. */
export function objectGone(name: string): StowageError {
  return new StowageError('CONTENT_NOT_FOUND', `${name} is gone`, { details: { name } });
}

/** Why something is damaged, without its name in front. */
export function reasonOf(error: StowageError): string {
  const { reason } = error.details;
  return typeof reason === 'string' ? reason : error.message;
}
