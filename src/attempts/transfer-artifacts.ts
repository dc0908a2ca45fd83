import type { ProgressMeter } from '../async/progress.ts';
import type { ContentStore } from '../content/content-store.ts';
import type { ContentInput } from '../content/writing/content-writer.ts';
import { invalidArgument, StowageError, throwIfAborted } from '../errors.ts';
import { CHUNKED_FROM_BYTES } from '../format/content-names.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { referencesIn } from '../format/refs.ts';
import { placeMember, type StoredContent } from '../format/stored-content.ts';
import { movedRef } from '../sessions/copied-session.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import { type AttemptView, checkDescribed } from './attempt-view.ts';
import { checkKept, entriesOf } from './inherit-artifacts.ts';
import type { TableRow } from './stored-values.ts';
import { copyValues, elementBytesOf, type Storing } from './stored-values.ts';

/** So many bytes of small contents are read before they are written together. */
const GATHER_BYTES = 8 * 1024 * 1024;

/**
 * Rows of an attempt of another store. What this store does not have is read there, verified, and written here,
 * piece by piece.
 *
 * @throws StowageError `ARTIFACT_NOT_FOUND`, `ATTEMPT_NOT_DONE`, `CONTENT_PURGED`, and what reading and writing
 * throw
 */
export async function transferArtifacts(
  origin: AttemptView,
  names: readonly string[],
  session: Session,
  storing: Storing,
  { progress, ...options }: CallOptions & { progress?: ProgressMeter | undefined },
): Promise<TableRow[]> {
  checkDescribed(origin);
  const entries = entriesOf(origin, names);
  checkKept(origin, entries);
  progress?.expect({ bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0), items: entries.length });
  const { address, ownBytes } = storing;
  const isHere = entries.every(({ inline, refs = [] }) => inline && refs.length === 0);
  const place = await session.locate(isHere ? undefined : address, options);
  const referredTo = await transferRefs(origin, entries, session, place, options);
  const inTarget = (entry: ArtifactEntry): ArtifactEntry =>
    entry.refs ? { ...entry, refs: entry.refs.map((ref) => movedRef(ref, referredTo)) } : entry;
  const keepsOwn = await session.keepsOwn({ place }, options);
  const isSmall = ({ own, inline, bytes }: ArtifactEntry): boolean =>
    !inline && (own !== undefined || (keepsOwn && bytes < ownBytes));
  const small = entries.filter(isSmall).map((entry) => ({ origin, row: { entry } }));
  const copied = await copyValues(small, session, { ...storing, progress }, options);
  const copies = new Map(small.map(({ row }, index) => [row.entry, copied[index]]));
  const stored = entries.filter((entry) => entry.content && !isSmall(entry));
  const sought = stored.map(({ key, bytes }) => ({ key, bytes, place }));
  const known = await session.rely(sought, options);
  const contents = new Map<string, StoredContent>();
  stored.forEach(({ key }, index) => {
    const found = known[index];
    if (found) contents.set(key, found);
  });
  const absent = firstOfEach(stored.filter(({ key }) => !contents.has(key)));
  // What is not copied is done at once: inline values, what is there, and what comes twice.
  const toCopy = new Set([...small.map(({ row }) => row.entry), ...absent]);
  for (const entry of entries) {
    if (toCopy.has(entry)) continue;
    progress?.add(entry.bytes);
    progress?.itemDone();
  }
  await copyContents(origin.content, absent, { session, place, progress }, contents, options);
  return entries.map((entry) => {
    if (entry.inline) return { entry: inTarget(entry) };
    const copy = copies.get(entry);
    if (copy instanceof StowageError) throw copy;
    if (copy) return { ...copy, entry: inTarget(copy.entry) };
    return { entry: { ...inTarget(entry), content: contents.get(entry.key) as StoredContent } };
  });
}

/** Small contents are written together, large ones one after the other as they are read. */
async function copyContents(
  from: ContentStore,
  entries: readonly ArtifactEntry[],
  { session, place, progress }: { session: Session; place: string; progress: ProgressMeter | undefined },
  copied: Map<string, StoredContent>,
  options: CallOptions,
): Promise<void> {
  const where = { place, progress };
  let gathered: (ContentInput & { place: string })[] = [];
  let gatheredBytes = 0;
  const flush = async (): Promise<void> => {
    for (const content of await session.put(gathered, options)) copied.set(content.key, content);
    gathered = [];
    gatheredBytes = 0;
  };
  for (const entry of entries) {
    throwIfAborted(options.signal);
    const address = entry.content as StoredContent;
    const elementBytes = elementBytesOf(entry);
    if (entry.bytes < CHUNKED_FROM_BYTES) {
      gathered.push({ bytes: await from.reader.load(address, options), elementBytes, ...where });
      gatheredBytes += entry.bytes;
      if (gatheredBytes >= GATHER_BYTES) await flush();
    } else {
      const bytes = from.reader.stream(address, options);
      const described = { ...options, elementBytes, expectedBytes: entry.bytes };
      copied.set(entry.key, await session.putStream(bytes, { ...described, ...where }));
    }
  }
  await flush();
}

/** Of entries with one content, the first. */
function firstOfEach(entries: readonly ArtifactEntry[]): ArtifactEntry[] {
  const keys = new Set<string>();
  return entries.filter(({ key }) => !keys.has(key) && keys.add(key));
}

/** Copies the contents that references inside values point at, but no objects that have a name only there. Resolves to where they lie now. */
async function transferRefs(
  { content, flow, pathspec }: AttemptView,
  entries: readonly ArtifactEntry[],
  session: Session,
  place: string,
  options: CallOptions,
): Promise<Map<string, StoredContent>> {
  for (const { name: artifact, refs = [] } of entries) {
    const fixed = refs.find(({ kind }) => kind !== 'key');
    if (!fixed) continue;
    throw invalidArgument(
      `Artifact ${artifact} of ${pathspec} refers to ${fixed.name}, which has no other name than that in its own store, so that it cannot be transferred. Load the value and save it again.`,
      { flow, pathspec, artifact, name: fixed.name },
    );
  }
  const refs = referencesIn(entries);
  const sought = refs.map(({ name }) => ({ key: name, bytes: undefined, place }));
  const known = await session.rely(sought, options);
  const moved = new Map<string, StoredContent>();
  for (const [index, ref] of refs.entries()) {
    const address = { key: ref.name, ...placeMember(ref.place) };
    const bytes = content.reader.stream(address, options);
    moved.set(ref.name, known[index] ?? (await session.putStream(bytes, { ...options, place })));
  }
  return moved;
}
