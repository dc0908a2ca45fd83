import { mapBounded } from '../async/bounded-work.ts';
import { codecsOfContent, codecsOfOwn, type StoredCodec } from '../content/reading/stored-codecs.ts';
import { isStowageError } from '../errors.ts';
import { valuesBase } from '../format/attempt-files.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { type ArtifactView, type AttemptDetail, artifactView } from './attempts.ts';
import type { StoreView } from './store-view.ts';

/** So many artifacts of an attempt are looked at, the largest. */
const MAX_LOOKED_AT = 100;
const CONCURRENCY = 16;

/**
 * The artifacts of an attempt with the codecs of their content: a request for each, one for neighbours, and a few for a large one. What
 * lies at another place is not asked for, since a place that does not answer would be waited for. What is damaged is told to the view, and shown
 * without codecs, as is what is gone.
 */
export async function artifactsWithCodecs(
  view: StoreView,
  path: TaskPath,
  { attempt, entries = [], purged }: AttemptDetail,
): Promise<ArtifactView[]> {
  const codecs = purged ? new Map<string, StoredCodec[]>() : await codecsOf(view, path, attempt, entries);
  return entries.map((entry) => {
    const known = codecs.get(entry.name);
    return { ...artifactView(entry), ...(known ? { codecs: known } : {}) };
  });
}

/** By artifact. */
async function codecsOf(
  view: StoreView,
  path: TaskPath,
  attempt: number,
  entries: readonly ArtifactEntry[],
): Promise<Map<string, StoredCodec[]>> {
  const { storage, signal } = view;
  const here = entries.filter(({ content, own }) => (content ?? own) && !(content ?? own)?.place);
  const looked = [...here].sort((a, b) => b.bytes - a.bytes).slice(0, MAX_LOOKED_AT);
  const codecs = new Map<string, StoredCodec[]>();
  await mapBounded(looked, CONCURRENCY, async ({ name, content }) => {
    if (!content) return;
    const found = await unlessUnreadable(view, () => codecsOfContent(storage, content, { signal }));
    if (found) codecs.set(name, found);
  });
  const own = looked.flatMap(({ key, bytes, own }) => (own ? [{ key, bytes, own }] : []));
  const ofOwn = await unlessUnreadable(view, () =>
    codecsOfOwn(storage, valuesBase(path, attempt), own, { signal }),
  );
  for (const { name, key, own } of looked) {
    const found = own && ofOwn?.get(key);
    if (found) codecs.set(name, found);
  }
  return codecs;
}

async function unlessUnreadable<T>(view: StoreView, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isStowageError(error, 'CONTENT_DAMAGED', 'CONTENT_NOT_FOUND', 'UNSUPPORTED_FORMAT')) throw error;
    // Another copy may serve what is gone; loading it tells.
    if (error.code === 'CONTENT_DAMAGED') view.unreadable(error);
    return undefined;
  }
}
