import { channel } from 'node:diagnostics_channel';
import { damagedMarkOf } from '../format/content-names.ts';
import type { DataStoreStorage } from '../storage/contract.ts';

/** What the channel `stowage:damaged` carries. */
export interface DamageMessage {
  /** The copy, pack or plain object found not whole. */
  name: string;
  uri: string;
  /** What was wrong with it. */
  reason: string;
  /** Whether the mark beside it could be written; a reader without write permission leaves none. */
  marked: boolean;
  /** Why it could not. */
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
