import type { ContentStore } from '../content/content-store.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import { listAttempts } from '../format/attempt-files.ts';
import type { ContentKey } from '../format/content-names.ts';
import { type ContentRef, refId } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { referencesIn } from '../format/refs.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { AttemptView } from './attempt-view.ts';
import type { TableRow } from './stored-values.ts';
import { copyValues, type Storing } from './stored-values.ts';

/**
 * Rows of other attempts of the same store, by name. Their content, and what their values refer to, is relied on where it lies; values
 * that are the origin's own are copied.
 *
 * @throws StowageError `ARTIFACT_NOT_FOUND`, `ATTEMPT_NOT_DONE`, `CONTENT_PURGED`, `CONTENT_NOT_FOUND`;
 * `INVALID_ARGUMENT` for an attempt of another store
 */
export async function inheritArtifacts(
  content: ContentStore,
  taken: ReadonlyMap<AttemptView, readonly string[]>,
  session: Session,
  storing: Storing,
  options: CallOptions,
): Promise<TableRow[]> {
  for (const origin of taken.keys()) checkDescribed(origin);
  const sought = [...taken].map(([origin, names]) => ({ origin, entries: entriesOf(origin, names) }));
  for (const { origin } of sought)
    if (!(await isSameStore(content, origin.content, options))) throw otherStore(origin);
  const rows: TableRow[] = [];
  for (const { origin, entries } of sought)
    for (const row of await inheritFrom(origin, entries, session, storing, options)) rows.push(row);
  return rows;
}

/**
 * Refuses an attempt that is open, or was given up: what it has saved is not known.
 *
 * @throws StowageError `ATTEMPT_NOT_DONE`
 */
export function checkDescribed({ facts: { status }, fullPathspec, flow, pathspec }: AttemptView): void {
  if (status === 'done' || status === 'failed') return;
  throw new StowageError(
    'ATTEMPT_NOT_DONE',
    `Attempt ${fullPathspec} is ${status}, so that it has no artifacts to take over; take those of one that is done.`,
    { details: { flow, pathspec, status } },
  );
}

/** The rows of names, each once; throws as `AttemptView.entry`. */
export function entriesOf(origin: AttemptView, names: readonly string[]): ArtifactEntry[] {
  return [...new Set(names)].map((name) => origin.entry(name));
}

/** @throws StowageError `CONTENT_PURGED` where retention gave up content of the artifacts */
export function checkKept({ facts, flow, pathspec }: AttemptView, entries: readonly ArtifactEntry[]): void {
  const artifacts = entries.filter(({ inline }) => !inline).map(({ name }) => name);
  if (!facts.purged || artifacts.length === 0) return;
  throw new StowageError(
    'CONTENT_PURGED',
    `The content of ${artifacts.join(', ')} of ${pathspec} was given up by retention, so that it cannot be passed on. Run the task again, or pass on others by name.`,
    { details: { flow, pathspec, artifacts } },
  );
}

async function inheritFrom(
  origin: AttemptView,
  entries: readonly ArtifactEntry[],
  session: Session,
  storing: Storing,
  options: CallOptions,
): Promise<TableRow[]> {
  const asTheyAre = entries.map((entry) => ({ entry }));
  const stored = entries.filter((entry) => entry.content);
  const contents = stored.map((entry) => entry.content as StoredContent);
  const own = asTheyAre.filter(({ entry }) => entry.own);
  if (contents.length + own.length === 0 && !entries.some(({ refs }) => refs)) return asTheyAre;
  checkKept(origin, entries);
  const copied = await copyValues(origin, own, session, storing, options);
  const copies = new Map(own.map((row, index) => [row.entry, copied[index]]));
  const found = await relyOnOrigin(origin, entries, contents, session, options);
  return asTheyAre.map((row) => {
    const { entry } = row;
    if (entry.inline) return row;
    if (entry.content) {
      const content = found.get(entry.key);
      if (content) return { entry: { ...entry, content } };
    }
    const copy = copies.get(entry);
    if (!copy || copy instanceof StowageError) throw gone(origin, entry, copy);
    return copy;
  });
}

/** Relies on what an origin's rows name. Resolves to their contents by key; without a look where its records do. */
async function relyOnOrigin(
  origin: AttemptView,
  entries: readonly ArtifactEntry[],
  contents: readonly StoredContent[],
  session: Session,
  options: CallOptions,
): Promise<Map<ContentKey, StoredContent | undefined>> {
  const refs = referencesIn(entries);
  if (contents.length + refs.length === 0) return new Map();
  const stands = (): Promise<boolean> => stillStands(origin, options);
  if (await session.relyOnDescribed(contents, refs, stands, options))
    return new Map(contents.map((content) => [content.key, content]));
  const [missing] = await session.relyOnRefs(refs, options);
  if (missing) throw goneRef(origin, entries, missing);
  const found = await session.rely(contents, options);
  return new Map(contents.map(({ key }, index) => [key, found[index]]));
}

/** Copies of a store share its id, and are stores of their own. */
async function isSameStore(a: ContentStore, b: ContentStore, options: CallOptions): Promise<boolean> {
  if (a.storage === b.storage) return true;
  if (a.storage.uri('stowage.json') !== b.storage.uri('stowage.json')) return false;
  return (await a.storeId(options)) === (await b.storeId(options));
}

/** The attempt's description is there, and nothing gave up its content. */
async function stillStands({ content, facts }: AttemptView, options: CallOptions): Promise<boolean> {
  const { path, attempt } = facts;
  const files = (await listAttempts(content.storage, path, { ...options, attempt })).get(attempt);
  const givenUp = files?.has('deleted') || files?.has('purged') || files?.has('erased');
  return !givenUp && files?.has('done') === true && files.has('metadata');
}

function otherStore({ fullPathspec, flow, pathspec }: AttemptView): StowageError {
  return invalidArgument(
    `${fullPathspec} lies in another store, so that its content has to be copied: use transferArtifacts.`,
    { flow, pathspec },
  );
}

function goneRef(
  { flow, pathspec }: AttemptView,
  entries: readonly ArtifactEntry[],
  missing: ContentRef,
): StowageError {
  const { kind, name } = missing;
  const artifact = entries.find(({ refs }) => refs?.some((ref) => refId(ref) === refId(missing)))?.name;
  return new StowageError(
    'CONTENT_NOT_FOUND',
    `Artifact ${artifact} of ${pathspec} refers to the ${kind} ${name}, of which nothing whole is in the store, so that it cannot be passed on. Run the task again.`,
    { details: { flow, pathspec, artifact, kind, name } },
  );
}

function gone(
  { flow, pathspec }: AttemptView,
  { name, key }: ArtifactEntry,
  cause?: StowageError,
): StowageError {
  return new StowageError(
    'CONTENT_NOT_FOUND',
    `No whole copy of the content of artifact ${name} of ${pathspec} is in the store, so that it cannot be passed on. Run the task again.`,
    { details: { flow, pathspec, artifact: name, key }, cause },
  );
}
