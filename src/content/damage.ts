import { channel } from 'node:diagnostics_channel';
import { StowageError } from '../errors.ts';
import { damagedMarkOf } from '../format/content-names.ts';
import type { ContentAddress } from '../format/stored-content.ts';
import type { DataStoreStorage } from '../storage/contract.ts';

/** A message of the channel `stowage:damaged`. */
export interface DamageMessage {
  /** The copy, pack or plain object found not whole. */
  name: string;
  uri: string;
  /** Its fault. */
  reason: string;
  /** True if the mark beside it could be written; a reader without write permission leaves none. */
  marked: boolean;
  /** The reason why it could not. */
  error?: unknown;
}

const damagedChannel = channel('stowage:damaged');

/**
 * Marks a copy, pack or plain object as damaged by an empty object beside it, so that no writer relies on it again
 * and saving the content once more mends it. A mark that cannot be written costs that, never the read:
 * the message on the channel `stowage:damaged` tells it.
 */
export async function markDamaged(storage: DataStoreStorage, name: string, reason: string): Promise<void> {
  const message: DamageMessage = { name, uri: storage.uri(name), reason, marked: true };
  try {
    await storage.create(damagedMarkOf(name), new Uint8Array(0));
  } catch (error) {
    message.marked = false;
    message.error = error;
  }
  damagedChannel.publish(message);
}

/** An object (a copy, a pack, a plain object) is not whole: `details.object` is what to mark, `details.reason` why. */
export function damagedObject(object: string, reason: string, details: { pack?: string } = {}): StowageError {
  return new StowageError('CONTENT_DAMAGED', `${object} is damaged: ${reason}`, {
    details: { object, reason, ...details },
  });
}

/** A record tells of its content what no copy of that says. Nothing is marked: it may be the record that is wrong. */
export function notAsRecorded({ key, copy, bytes, root }: ContentAddress, instead: string): StowageError {
  const told = [
    ...(bytes === undefined ? [] : [`${bytes} bytes`]),
    ...(root === undefined ? [] : [`the root ${root}`]),
  ];
  return new StowageError(
    'RECORD_DAMAGED',
    `A record says that content ${key} has ${told.join(' and ')}, but ${instead}. Load it by its key alone, and restore the record from a copy of the store.`,
    { details: { key, copy, bytes, root } },
  );
}

/** An object which a record or a copy names is not there. */
export function objectGone(name: string): StowageError {
  return new StowageError('CONTENT_NOT_FOUND', `${name} is gone`, { details: { name } });
}

/** The reason why something is damaged, without its name in front. */
export function reasonOf(error: StowageError): string {
  const { reason } = error.details;
  return typeof reason === 'string' ? reason : error.message;
}
