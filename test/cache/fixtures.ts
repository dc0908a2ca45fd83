import { readTask } from '../../src/attempts/attempt-reader.ts';
import { resultOf } from '../../src/cache/entry-writer.ts';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { type CacheEntry, decodeEntry, type NewCacheEntry } from '../../src/format/cache-entry.ts';
import { entryName } from '../../src/format/cache-names.ts';
import type { ArtifactTable } from '../../src/format/description.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { bodyOf } from '../content/storages.ts';

/** The cache key of anything that can be told by a text. */
export function keyOf(text: string | number): string {
  return digestHex(Buffer.from(String(text)));
}

/** An entry without content: its one artifact is kept inline. */
export function inlineEntry(value: string | number, changes: Partial<NewCacheEntry> = {}): NewCacheEntry {
  const row = { name: 'value', type: 'string', encoding: 'msgpack', key: keyOf(value), bytes: 1 };
  const table: ArtifactTable = { artifacts: [{ ...row, inline: { json: value } }] };
  return { ...about(), table, ...changes };
}

export function about(): Omit<NewCacheEntry, 'table'> {
  return {
    task: 'judge',
    scope: 'Train',
    version: '3',
    keyDescription: { input: keyOf('input') },
    source: {
      flow: 'Train',
      run: 'r1',
      step: 'judge',
      task: '0',
      attempt: 0,
      session: '0'.repeat(26),
      metadataDigest: keyOf('metadata'),
    },
  };
}

/** What an entry of {@link inlineEntry} holds. */
export function heldBy(entry: CacheEntry | NewCacheEntry | undefined): unknown {
  const inline = entry?.table.artifacts[0]?.inline;
  return inline && 'json' in inline ? inline.json : undefined;
}

/** Saves artifacts as a task's, and gives the entry that names them. */
export async function entryOfTask(
  storage: DataStoreStorage,
  artifacts: Record<string, unknown>,
  task = '0',
): Promise<NewCacheEntry> {
  const flow = await FlowDataStore.open({ flowName: 'Train', storage });
  const path = { flow: 'Train', run: 'r1', step: 'judge', task };
  await flow.task({ runId: 'r1', stepName: 'judge', taskId: task }, (open) => open.saveArtifacts(artifacts));
  const read = await readTask(storage, flow.caStore.reader, path, {}, {});
  return { ...about(), ...resultOf(read) };
}

export function contentOf(storage: DataStoreStorage): ContentAddressedStore {
  return new ContentAddressedStore(storage);
}

/** The entry that lies under a key, whatever a cache would make of it. */
export async function storedEntry(storage: DataStoreStorage, key: string): Promise<CacheEntry> {
  return decodeEntry(await bodyOf(storage, entryName(key)), key, 'the entry');
}
