import { damagedMarkOf } from '../../format/content-names.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import type { CallOptions, DataStoreStorage, ListedObject } from '../../storage/contract.ts';
import { lineOf, refOfLine } from './marks.ts';
import type { CollectedPlace } from './places.ts';
import { SortedLines, type WorkFolder } from './sorted-lines.ts';

/** So many names are deleted by one call. */
const BATCH = 500;

/** A name that is not confirmed gone, and why. */
export interface Unconfirmed {
  readonly entry: ContentRef;
  readonly error: Error;
}

/** What came of a deletion. */
export interface Deletion {
  readonly deleted: { copies: number; packs: number; plain: number };
  /** Entries that stay condemned: lines. */
  readonly unconfirmed: SortedLines;
  /** Some of them, with their reasons. */
  readonly examples: Unconfirmed[];
}

const MAX_EXAMPLES = 100;

/**
 * Deletes by name what a final version condemns, with the marks of damage beside it (model: `delete`). What is not confirmed gone is told
 * and stays condemned.
 */
export async function deleteCondemned(
  folder: WorkFolder,
  places: ReadonlyMap<string, CollectedPlace>,
  entries: AsyncIterable<ContentRef> | Iterable<ContentRef>,
  { signal, onDeleted }: CallOptions & { onDeleted?: (names: number) => void },
): Promise<Deletion> {
  const deleted = { copies: 0, packs: 0, plain: 0 };
  const unconfirmed = new SortedLines(folder);
  const examples: Unconfirmed[] = [];
  const sorted = new SortedLines(folder);
  for await (const entry of entries) sorted.add(lineOf(entry));

  const stays = (entry: ContentRef, error: Error): void => {
    unconfirmed.add(lineOf(entry));
    if (examples.length < MAX_EXAMPLES) examples.push({ entry, error });
  };
  const flush = async (batch: readonly ContentRef[]): Promise<void> => {
    const [first] = batch;
    if (!first) return;
    const storage = places.get(first.place)?.storage;
    if (!storage) {
      for (const entry of batch) stays(entry, new Error(`nothing is deleted at the place ${first.place}`));
      return;
    }
    const names = batch.flatMap(({ name }) => [name, damagedMarkOf(name)]);
    const failures = new Map(
      (await storage.delete(names, { signal })).map(({ name, error }) => [name, error]),
    );
    for (const entry of batch) {
      const error = failures.get(entry.name) ?? failures.get(damagedMarkOf(entry.name));
      if (error) stays(entry, error);
      else if (entry.kind === 'copy') deleted.copies += 1;
      else if (entry.kind === 'pack') deleted.packs += 1;
      else if (entry.kind === 'plain') deleted.plain += 1;
    }
    onDeleted?.(batch.length);
  };

  let batch: ContentRef[] = [];
  for (const line of sorted.sorted()) {
    const entry = refOfLine(line);
    if (batch.length >= BATCH || (batch[0] && batch[0].place !== entry.place)) {
      await flush(batch);
      batch = [];
    }
    batch.push(entry);
  }
  await flush(batch);
  return { deleted, unconfirmed, examples };
}

/** A name that needs no log and could not be deleted. */
export interface Undeleted {
  readonly uri: string;
  readonly error: Error;
}

/**
 * Deletes what needs no log, since nobody comes to rely on it. What cannot be deleted is found by the next collection; the first 100 are
 * added to `undeleted`. Resolves to what went.
 */
export async function deletePlainly(
  storage: DataStoreStorage,
  objects: AsyncIterable<ListedObject> | Iterable<ListedObject>,
  { signal, undeleted }: CallOptions & { undeleted: Undeleted[] },
): Promise<{ count: number; bytes: number }> {
  const gone = { count: 0, bytes: 0 };
  let batch: ListedObject[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const failures = await storage.delete(
      batch.map(({ name }) => name),
      { signal },
    );
    for (const { name, error } of failures.slice(0, MAX_EXAMPLES - undeleted.length))
      undeleted.push({ uri: storage.uri(name), error });
    const stay = new Set(failures.map(({ name }) => name));
    for (const { name, bytes = 0 } of batch) {
      if (stay.has(name)) continue;
      gone.count += 1;
      gone.bytes += bytes;
    }
    batch = [];
  };
  for await (const object of objects) {
    batch.push(object);
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  return gone;
}
