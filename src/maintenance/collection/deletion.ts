import { damagedMarkOf } from '../../format/content-names.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
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

/** Deletes what needs no log, since nobody comes to rely on it; what stays is found by the next collection. Resolves to how many went. */
export async function deletePlainly(
  storage: DataStoreStorage,
  names: AsyncIterable<string> | Iterable<string>,
  { signal }: CallOptions,
): Promise<number> {
  let gone = 0;
  let batch: string[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    gone += batch.length - (await storage.delete(batch, { signal })).length;
    batch = [];
  };
  for await (const name of names) {
    batch.push(name);
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  return gone;
}
