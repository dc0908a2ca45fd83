import { isStowageError } from '../errors.ts';
import type { Invocation } from './invocation.ts';

/** Why something is shown without what its record says. */
export interface Unreadable {
  status: 'damaged' | 'unreadable';
  failure: { code: string; message: string };
}

/** Notes that a record could not be read, which is shown as such among the others; an abort, or a mistake in the program, is thrown. */
export function unreadable(invocation: Invocation, error: unknown): Unreadable {
  if (!isStowageError(error) || error.code === 'ABORTED') throw error;
  invocation.failed(error);
  const { code, message } = error;
  const isDamage = code === 'RECORD_DAMAGED' || code === 'CONTENT_DAMAGED';
  return { status: isDamage ? 'damaged' : 'unreadable', failure: { code, message } };
}
