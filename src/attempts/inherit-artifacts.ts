import { mapBounded } from '../async/bounded-work.ts';
import type { ContentStore } from '../content/content-store.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import { listAttempts } from '../format/attempt-files.ts';
import { type ContentRef, refId } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { referencesIn } from '../format/refs.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import { SerializerRegistry } from '../values/registry.ts';
import { readTask } from './attempt-reader.ts';
import { AttemptView, checkDescribed } from './attempt-view.ts';
import type { TableRow } from './stored-values.ts';
import { copyValues, type Storing } from './stored-values.ts';

/** So many attempts are looked at at once. */
const CONCURRENCY = 16;

/** Options of {@link inheritArtifacts}. */
export interface InheritOptions extends CallOptions {
  /** Looks at each content, which costs two requests or more in a bucket. Default `false`: what attempts name is there, where their records stand. */
  looks?: boolean | undefined;
}

/**
 * Rows of other attempts of the same store, by name. Their content, and what their values refer to, is relied on where it lies; values
 * that are the origin's own are copied; inline ones are taken from attempts that still have them.
 *
 * @throws StowageError `ARTIFACT_NOT_FOUND`, `ATTEMPT_NOT_DONE`, `CONTENT_PURGED`, `CONTENT_NOT_FOUND`; `CONTENT_ERASED`,
 * `ATTEMPT_DELETED`, `TASK_NOT_FOUND` for what was erased or deleted since the origin was opened; `INVALID_ARGUMENT` for an attempt of another store
 */
export async function inheritArtifacts(
  content: ContentStore,
  taken: ReadonlyMap<AttemptView, readonly string[]>,
  session: Session,
  storing: Storing,
  { looks = false, ...options }: InheritOptions,
): Promise<TableRow[]> {
  for (const origin of taken.keys()) checkDescribed(origin);
  const sought = [...taken].flatMap(([origin, names]) =>
    entriesOf(origin, names).map((entry) => ({ origin, entry })),
  );
  for (const origin of taken.keys())
    if (!(await isSameStore(content, origin.content, options))) throw otherStore(origin);
  for (const origin of taken.keys())
    checkKept(
      origin,
      sought.filter((one) => one.origin === origin).map(({ entry }) => entry),
    );
  const own = sought.filter(({ entry }) => entry.own);
  const ownRows = own.map(({ origin, entry }) => ({ origin, row: { entry } }));
  const copied = await copyValues(ownRows, session, storing, options);
  const copies = new Map(own.map((one, index) => [one, copied[index]]));
  const stood = new Map<AttemptView, boolean>();
  const found = await relyOnOrigins(sought, session, stood, { looks, ...options });
  await checkInline(sought, stood, options);
  return sought.map((one) => {
    const { origin, entry } = one;
    if (entry.inline) return { entry };
    const relied = found.get(one);
    if (relied) return { entry: { ...entry, content: relied } };
    const copy = copies.get(one);
    if (!copy || copy instanceof StowageError) throw gone(origin, entry, copy);
    return copy;
  });
}

/** An artifact of another attempt. */
interface Inherited {
  origin: AttemptView;
  entry: ArtifactEntry;
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

/**
 * Relies on what rows of other attempts name, by one pin for all. Resolves to the content of each that has one and that is there;
 * without a look at it where the attempts' records do, and nobody asks for one.
 *
 * @param stood - is told which of the attempts that were looked at stand
 */
async function relyOnOrigins(
  sought: readonly Inherited[],
  session: Session,
  stood: Map<AttemptView, boolean>,
  { looks, ...options }: InheritOptions,
): Promise<Map<Inherited, StoredContent>> {
  const refs = referencesIn(sought.map(({ entry }) => entry));
  const stored = sought.filter(({ entry }) => entry.content);
  const contents = stored.map(({ entry }) => entry.content as StoredContent);
  if (contents.length + refs.length === 0) return new Map();
  const relying = new Set(
    sought.filter(({ entry }) => entry.content || entry.refs).map(({ origin }) => origin),
  );
  const stands = async (): Promise<boolean> => {
    const standing = await mapBounded(relying, CONCURRENCY, async (origin) => {
      const isStanding = await stillStands(origin, options);
      stood.set(origin, isStanding);
      return isStanding;
    });
    return !standing.includes(false);
  };
  let found: readonly (StoredContent | undefined)[] = contents;
  if (looks || !(await session.relyOnDescribed(contents, refs, stands, options))) {
    const [missing] = await session.relyOnRefs(refs, options);
    if (missing) throw goneRef(sought, missing);
    found = await session.rely(contents, options);
  }
  const relied = new Map<Inherited, StoredContent>();
  for (const [index, one] of stored.entries()) {
    const content = found[index];
    if (content) relied.set(one, content);
  }
  return relied;
}

/**
 * Refuses inline values that attempts no longer have: these were opened before the session, so that an eraser, which waits for the sessions that
 * it finds open, may not have waited for this one.
 *
 * @throws StowageError `CONTENT_ERASED`, `ATTEMPT_DELETED`, `TASK_NOT_FOUND`
 */
async function checkInline(
  sought: readonly Inherited[],
  stood: ReadonlyMap<AttemptView, boolean>,
  options: CallOptions,
): Promise<void> {
  const inline = sought.filter(({ entry }) => entry.inline);
  await mapBounded(new Set(inline.map(({ origin }) => origin)), CONCURRENCY, async (origin) => {
    if (stood.get(origin) ?? (await stillStands(origin, options))) return;
    const { content, facts } = origin;
    const { path, attempt } = facts;
    const rule = { attempt, allowNotDone: true };
    const read = await readTask(content.storage, content.reader, path, rule, options);
    const now = new AttemptView(content, new SerializerRegistry(), read);
    for (const { origin: of, entry } of inline) if (of === origin) now.entry(entry.name);
  });
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

function goneRef(sought: readonly Inherited[], missing: ContentRef): StowageError {
  const { kind, name } = missing;
  const refers = ({ entry }: Inherited): boolean =>
    entry.refs?.some((ref) => refId(ref) === refId(missing)) === true;
  const { origin, entry } = sought.find(refers) as Inherited;
  const { flow, pathspec } = origin;
  const artifact = entry.name;
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
