import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { isStowageError, type StowageError } from '../errors.ts';
import type { DataStoreStorage } from '../storage/contract.ts';

/** A store as the views read it, whoever shows them. */
export interface StoreView {
  readonly storage: DataStoreStorage;
  readonly content: ContentAddressedStore;
  /** Ends the reading with `ABORTED`. */
  readonly signal: AbortSignal;
  /** Is told of each thing that could not be read. The view shows it as such among the others. */
  unreadable(error: StowageError): void;
  /** Is told, often, how many things were read, of how many if that is known. */
  progress(noun: 'tasks' | 'cache entries', read: number, total?: number): void;
}

/** The reason why something is shown without what its record says. */
export interface Unreadable {
  status: 'damaged' | 'unreadable';
  failure: { code: string; message: string };
}

/** Stands for a record that cannot be read, of which the view is told. Throws what ends the reading: an abort, or a bug. */
export function unreadable(view: StoreView, error: unknown): Unreadable {
  if (!isStowageError(error) || error.code === 'ABORTED') throw error;
  view.unreadable(error);
  const { code, message } = error;
  const isDamage = code === 'RECORD_DAMAGED' || code === 'CONTENT_DAMAGED';
  return { status: isDamage ? 'damaged' : 'unreadable', failure: { code, message } };
}
