import { subscribe } from 'node:diagnostics_channel';
import type { DamageMessage } from '../content/damage.ts';
import { ContentAddressedStore } from '../content-addressed-store.ts';
import { defaultStorageUri } from '../default-storage.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { FlowDataStore } from '../flow-data-store.ts';
import type { DataStoreStorage } from '../storage/contract.ts';
import { openStorage } from '../storage/open.ts';
import type { Invocation } from './invocation.ts';

/** A store that a command works on. */
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
  return openFor(invocation, async (store) => {
    await store.content.prepareToRead(invocation);
    return work(store);
  });
}

/** Opens the store for `work` that writes, and makes it where there is none: a remark says so, since the address may be wrong. */
export async function withStoreToWrite<T>(
  invocation: Invocation,
  work: (store: OpenStore, isNew: boolean) => Promise<T>,
): Promise<T> {
  return openFor(invocation, async (store) => {
    const isNew = !(await exists(store, invocation));
    if (isNew) {
      await store.content.prepareToWrite(invocation);
      const address = store.storage.uri('stowage.json').replace(/\/stowage\.json$/, '');
      invocation.note(`made a new store at ${address}.`);
    }
    return work(store, isNew);
  });
}

async function exists({ content }: OpenStore, invocation: Invocation): Promise<boolean> {
  try {
    await content.prepareToRead(invocation);
    return true;
  } catch (error) {
    if (isStowageError(error, 'NO_SUCH_STORE')) return false;
    throw error;
  }
}

async function openFor<T>(invocation: Invocation, work: (store: OpenStore) => Promise<T>): Promise<T> {
  subscribe('stowage:damaged', (message) => {
    const { name, uri, reason } = message as DamageMessage;
    invocation.note(`warning: ${reason.includes(name) ? reason : `${uri} is damaged: ${reason}`}`);
  });
  const address = invocation.options.store ?? defaultStorageUri();
  const storage = await openStorage(address);
  const content = new ContentAddressedStore(storage, {}, { home: address });
  const flows: FlowDataStore[] = [];
  try {
    return await work({
      storage,
      content,
      flow: async (flowName) => {
        const flow = await FlowDataStore.open({ flowName, storage });
        flows.push(flow);
        return flow;
      },
    });
  } catch (error) {
    throw isStowageError(error, 'NO_SUCH_STORE') ? withRemedy(error) : error;
  } finally {
    for (const flow of flows) await flow.close();
    await content.close();
    await storage.close();
  }
}

/** Here, as a command that is given its stores as arguments takes no `--store`. */
function withRemedy(error: StowageError): StowageError {
  const remedy = 'Name another with --store <path or URI>, or in the environment (see stowage --help).';
  return new StowageError(error.code, `${error.message} ${remedy}`, { details: error.details, cause: error });
}
