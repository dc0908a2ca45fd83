import { channel } from 'node:diagnostics_channel';
import type { StowageError } from '../errors.ts';
import type { StorageOperation } from './decorator.ts';

/** A message of the channel `stowage:retrying`. */
export interface RetryMessage {
  operation: StorageOperation;
  /** The object, or the prefix of a listing. */
  name: string;
  /** The number of tries, from 1. */
  attempt: number;
  /** The wait before the next try, in milliseconds. */
  delayMs: number;
  /** The reason why the last try failed. */
  error: StowageError;
}

const retrying = channel('stowage:retrying');

/** Tells that a call failed, and is tried again. */
export function reportRetry(message: RetryMessage): void {
  retrying.publish(message);
}
