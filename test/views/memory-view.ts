import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import type { MemoryStorage } from '../../src/storage/memory.ts';
import type { StoreView } from '../../src/views/store-view.ts';

/** A store in memory, as views read it. */
export function memoryView(storage: MemoryStorage): StoreView {
  return {
    storage,
    content: new ContentAddressedStore(storage),
    signal: new AbortController().signal,
    unreadable: () => {},
    progress: () => {},
  };
}
