import type { DescribedCopy } from '../../content/reading/copy-reader.ts';
import { isStowageError } from '../../errors.ts';
import { type ContentKey, copyPrefix, parseCopyName } from '../../format/content-names.ts';
import type { ObjectAt } from '../../format/erasure-records.ts';
import { type CollectedPlace, openPlaces } from '../collection/places.ts';
import { SparsePacks, stretchesOf } from '../collection/sparse-packs.ts';
import type { ErasureContext } from './erasure-context.ts';
import type { ContentToErase } from './erasure-report.ts';

/** Keys of contents that are told. */
const MOST_SHARING = 100;

/** Where the contents lie, in the store and at its other places. */
export interface StoredCopies {
  readonly contents: ContentToErase[];
  /** Copies under their keys. */
  readonly copies: ObjectAt[];
  readonly packs: ObjectAt[];
}

/** Finds the copies of all contents that are to go, and the packs that hold their chunks. Copies that cannot be read name no packs. */
export async function findCopies(context: ErasureContext): Promise<StoredCopies> {
  const { targets } = context;
  const found: StoredCopies = { contents: [], copies: [], packs: [] };
  const places = await placesOf(context);
  for (const key of targets.keys) {
    let copies = 0;
    const packs = new Map<string, ObjectAt>();
    for (const place of places) {
      for (const name of await copiesAt(context, place, key)) {
        copies += 1;
        found.copies.push({ place: place.id, name });
        for (const pack of await packsOfCopy(context, place, name)) packs.set(idOf(pack), pack);
      }
    }
    found.packs.push(...packs.values());
    found.contents.push({ key, copies, packs: packs.size });
  }
  return { ...found, packs: [...new Map(found.packs.map((pack) => [idOf(pack), pack])).values()] };
}

/** Those of packs that are still there. */
export async function packsThatStand(
  { content, options }: ErasureContext,
  packs: readonly ObjectAt[],
): Promise<ObjectAt[]> {
  const standing: ObjectAt[] = [];
  for (const pack of packs) {
    const { storage } = await content.at(pack.place, options);
    if (await storage.head(pack.name, options)) standing.push(pack);
  }
  return standing;
}

/**
 * Those of packs of which something is dead, or that nothing names: they may hold chunks of what is to go. Of the others every byte belongs to
 * contents that stay. Reads all manifests, if there are packs.
 */
export async function packsWithRemains(
  context: ErasureContext,
  packs: readonly ObjectAt[],
): Promise<ObjectAt[]> {
  const { folder, options } = context;
  if (packs.length === 0) return [];
  const wanted = new Set(packs.map(idOf));
  const only = (place: string, name: string): boolean => wanted.has(idOf({ place, name }));
  const sparse = new SparsePacks(folder, { deadShare: 0, maxBytes: Number.POSITIVE_INFINITY, only });
  const named = new Set<string>();
  for (const place of await placesOf(context)) {
    for await (const page of place.storage.list({ prefix: 'manifests/', ...options })) {
      for (const { name } of page.objects) {
        if (!parseCopyName(name)) continue;
        const described = await describe(context, place, name);
        const ours = (described?.packs ?? []).map((pack) => idOf({ place: place.id, name: pack.name }));
        if (!described?.manifest || !ours.some((id) => wanted.has(id))) continue;
        for (const id of ours) named.add(id);
        const stretches = await stretchesOf(place.reader, name, described.manifest, options);
        sparse.note(place.id, name, stretches);
      }
    }
  }
  const dead = new Set(sparse.choose().packs.map(idOf));
  return packs.filter((pack) => dead.has(idOf(pack)) || !named.has(idOf(pack)));
}

/** Tells which other contents have chunks in the same packs. Reads all manifests, if there are packs. */
export async function tellSharing(context: ErasureContext, packs: readonly ObjectAt[]): Promise<void> {
  const { targets, report, options } = context;
  if (packs.length === 0) return;
  const wanted = new Set(packs.map(idOf));
  const sharing = new Set<ContentKey>();
  for (const place of await placesOf(context)) {
    for await (const page of place.storage.list({ prefix: 'manifests/', ...options })) {
      for (const { name } of page.objects) {
        const key = parseCopyName(name)?.key;
        if (key === undefined || targets.has(key) || sharing.has(key)) continue;
        const named = await packsOfCopy(context, place, name);
        if (named.some((pack) => wanted.has(idOf(pack)))) sharing.add(key);
      }
    }
  }
  report.sharingCount = sharing.size;
  report.sharing = [...sharing].slice(0, MOST_SHARING);
}

async function placesOf({ content, report, options }: ErasureContext): Promise<CollectedPlace[]> {
  const { places, skipped } = await openPlaces(content, [], options);
  for (const { id, uri, error } of skipped) report.problem(uri ?? id, error);
  return [...places.values()];
}

async function copiesAt(
  { options }: ErasureContext,
  place: CollectedPlace,
  key: ContentKey,
): Promise<string[]> {
  const names: string[] = [];
  for (const folder of ['data', 'manifests'] as const) {
    for await (const page of place.storage.list({ prefix: copyPrefix(folder, key), ...options })) {
      for (const { name } of page.objects) if (parseCopyName(name)) names.push(name);
    }
  }
  return names;
}

async function packsOfCopy(
  context: ErasureContext,
  place: CollectedPlace,
  name: string,
): Promise<ObjectAt[]> {
  if (!name.startsWith('manifests/')) return [];
  const described = await describe(context, place, name);
  return (described?.packs ?? []).map((pack) => ({ place: place.id, name: pack.name }));
}

/** `undefined` of a copy that is gone or cannot be read. */
async function describe(
  { options }: ErasureContext,
  { reader }: CollectedPlace,
  name: string,
): Promise<DescribedCopy | undefined> {
  try {
    return await reader.describeCopy(name, options);
  } catch (error) {
    if (isStowageError(error, 'CONTENT_DAMAGED', 'UNSUPPORTED_FORMAT')) return undefined;
    throw error;
  }
}

function idOf({ place, name }: ObjectAt): string {
  return `${place}\t${name}`;
}
