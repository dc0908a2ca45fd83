import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import {
  type CollectionOptions,
  collectGarbage,
} from '../../../src/maintenance/collection/collect-garbage.ts';
import type { CollectionResult } from '../../../src/maintenance/collection/collection-result.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';

/** Collects as another process does, which knows nothing yet. */
export async function collect(
  storage: DataStoreStorage,
  options: CollectionOptions = {},
): Promise<CollectionResult> {
  const content = new ContentAddressedStore(storage);
  try {
    return await collectGarbage(content, options);
  } finally {
    await content.close();
  }
}
