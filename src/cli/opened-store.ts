import { endAll } from '../async/end-all.ts';
import { ContentAddressedStore } from '../content-addressed-store.ts';
import type { FlowDataStore } from '../flow-data-store.ts';
import type { DataStoreStorage } from '../storage/contract.ts';
import { openStorage } from '../storage/open.ts';
import type { RetryOptions } from '../storage/retry-policy.ts';

/** A store that is open for commands, and the flows that were asked for, which are open as long as it is. */
export interface OpenedStore {
  readonly storage: DataStoreStorage;
  readonly content: ContentAddressedStore;
  /** One flow of it. */
  flow(flowName: string): Promise<FlowDataStore>;
  close(): Promise<void>;
}

/**
 * Opens the store at an address. Every storage that it opens, those of places among them, is used as `decorate` gives it.
 *
 * @param retry - when these storages try again; default: as `openStorage`
 */
export async function openStore(
  address: string,
  decorate: (opened: DataStoreStorage) => DataStoreStorage,
  retry?: RetryOptions,
): Promise<OpenedStore> {
  const storage = decorate(await openStorage(address, { retry }));
  const content = new ContentAddressedStore(storage, {}, { home: address, decorate, retry });
  const flows = new Map<string, Promise<FlowDataStore>>();
  const open = async (flowName: string): Promise<FlowDataStore> => {
    const { FlowDataStore } = await import('../flow-data-store.ts');
    return FlowDataStore.openAround({ flowName, storage }, { home: address, decorate, retry });
  };
  return {
    storage,
    content,
    flow: (flowName) => {
      const known = flows.get(flowName);
      if (known) return known;
      const flow = open(flowName);
      flows.set(flowName, flow);
      // A name that is refused is refused anew.
      flow.catch(() => flows.delete(flowName));
      return flow;
    },
    close: async () => {
      const opened = await Promise.allSettled(flows.values());
      const closing = opened.flatMap((flow) => (flow.status === 'fulfilled' ? [flow.value] : []));
      await endAll([
        ...closing.map((flow) => () => flow.close()),
        () => content.close(),
        () => storage.close(),
      ]);
    },
  };
}
