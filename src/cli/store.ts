import { subscribe } from 'node:diagnostics_channel';
import { ContentAddressedStore } from '../content/content-addressed-store.ts';
import type { DamageMessage } from '../content/damage.ts';
import { defaultStorageUri } from '../flow/default-storage.ts';
import { FlowDataStore } from '../flow/flow-data-store.ts';
import type { DataStoreStorage } from '../storage/contract.ts';
import { openStorage } from '../storage/open.ts';
import type { Invocation } from './invocation.ts';

/** A store that a command reads. */
export interface OpenStore {
  readonly storage: DataStoreStorage;
  readonly content: ContentAddressedStore;
  /** One flow of it. */
  flow(flowName: string): Promise<FlowDataStore>;
}

/**
 * Opens the store that `--store` or the environment names, for `work`.
 *
 * @throws StowageError `NO_SUCH_STORE`, and whatever `work` throws
 */
export async function withStore<T>(
  invocation: Invocation,
  work: (store: OpenStore) => Promise<T>,
): Promise<T> {
  const { signal } = invocation;
  subscribe('stowage:damaged', (message) => {
    const { name, uri, reason } = message as DamageMessage;
    invocation.note(`warning: ${reason.includes(name) ? reason : `${uri} is damaged: ${reason}`}`);
  });
  const storage = await openStorage(invocation.options.store ?? defaultStorageUri());
  try {
    const content = new ContentAddressedStore(storage);
    await content.prepareToRead({ signal });
    return await work({
      storage,
      content,
      flow: (flowName) => FlowDataStore.open({ flowName, storage }),
    });
  } finally {
    await storage.close();
  }
}
