import { mapBounded } from '../async/bounded-work.ts';
import { codecsOfContent, codecsOfOwn, type StoredCodec } from '../content/reading/stored-codecs.ts';
import { isStowageError } from '../errors.ts';
import { valuesBase } from '../format/attempt-files.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { REFERENCE_TYPES } from '../values/reference.ts';
import { type ArtifactView, type AttemptDetail, artifactView } from './attempts.ts';
import type { ReferenceView } from './references.ts';
import type { StoreView } from './store-view.ts';

/** So many artifacts of an attempt are looked at, the largest. */
const MAX_LOOKED_AT = 100;
const CONCURRENCY = 16;

/**
 * The artifacts of an attempt with what references among them say, and with the codecs of their content: a request for each, one for
 * neighbours, and a few for a large one. What lies at another place is not asked for, since a place that does not answer would be waited
 * for. What is damaged is told to the view, and shown without codecs, as is what is gone.
 */
export async function artifactsInFull(
  view: StoreView,
  path: TaskPath,
  detail: AttemptDetail,
): Promise<ArtifactView[]> {
  const { attempt, entries = [], purged } = detail;
  const codecs = purged ? new Map<string, StoredCodec[]>() : await codecsOf(view, path, attempt, entries);
  const references = await referencesOf(view, path, detail);
  return entries.map((entry) => {
    const known = codecs.get(entry.name);
    const reference = references.get(entry.name);
    return {
      ...artifactView(entry),
      ...(reference ? { reference } : {}),
      ...(known ? { codecs: known } : {}),
    };
  });
}

/** By artifact. What decodes values is loaded where there is a reference. */
async function referencesOf(
  view: StoreView,
  path: TaskPath,
  { attempt, entries = [], purged }: AttemptDetail,
): Promise<ReadonlyMap<string, ReferenceView>> {
  if (purged || !entries.some(({ type }) => REFERENCE_TYPES.has(type))) return new Map();
  const { readReferences } = await import('./references.ts');
  return readReferences(view, path, attempt, entries);
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
