import { channel } from 'node:diagnostics_channel';
import type { StowageError } from '../errors.ts';
import type { StorageOperation } from './decorator.ts';

/** What the channel `stowage:retrying` carries. */
export interface RetryMessage {
  operation: StorageOperation;
  /** The object, or the prefix of a listing. */
  name: string;
  /** How often it was tried, from 1. */
  attempt: number;
  /** How long it waits before it is tried again, in milliseconds. */
  delayMs: number;
  /** Why the last try failed. */
  error: StowageError;
}

const retrying = channel('stowage:retrying');

/** Tells that a call failed, and is tried again. */
export function reportRetry(message: RetryMessage): void {
  retrying.publish(message);
}
