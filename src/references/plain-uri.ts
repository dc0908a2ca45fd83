import type { ContentStore } from '../content/content-store.ts';
import { listCopies } from '../content/copies.ts';
import type { ContentKey } from '../format/content-names.ts';
import type { CallOptions } from '../storage/contract.ts';

/** The address of the plain object that holds a content; `undefined` where none does. A LIST, and a GET for each manifest up to it. */
export async function plainUriOf(
  store: ContentStore,
  { key, place }: { key: ContentKey; place: string },
  options: CallOptions,
): Promise<string | undefined> {
  await store.prepareToRead(options);
  const { storage, reader } = await store.at(place, options);
  for (const copy of await listCopies(storage, 'manifests', key, options)) {
    if (copy.marked) continue;
    const plain = (await reader.describeCopy(copy.name, options))?.plain;
    if (plain !== undefined) return storage.uri(plain);
  }
  return undefined;
}
