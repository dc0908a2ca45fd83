import { batchesOf, gatherValues } from '../attempts/own-values.ts';
import { elementBytesOf } from '../attempts/stored-values.ts';
import type { ContentInput } from '../content/writing/content-writer.ts';
import type { SoughtContent } from '../content/writing/copy-finder.ts';
import type { WrittenValue } from '../content/writing/own-writer.ts';
import { invalidArgument, type StowageError, throwIfAborted } from '../errors.ts';
import { valuesBase } from '../format/attempt-files.ts';
import { CHUNKED_FROM_BYTES, type ContentKey } from '../format/content-names.ts';
import { HERE } from '../format/content-ref.ts';
import type { ArtifactEntry, ArtifactTable } from '../format/description.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { referencesIn } from '../format/refs.ts';
import type { ReportEntry } from '../format/report-records.ts';
import { type ContentAddress, placeMember, type StoredContent } from '../format/stored-content.ts';
import {
  type CopyIdentity,
  contentLost,
  MAX_COPY_TRIES,
  type OwnRows,
  type StoredContents,
} from '../sessions/copied-session.ts';
import type { Session } from '../sessions/session.ts';
import type { CopyContext } from './copy-context.ts';

/** A content that the source refers to. */
export interface SourceContent {
  address: ContentAddress;
  /** The attempt and its row, where the content lies in an object of the attempt's own. */
  own?: { attempt: SourceAttempt; entry: ArtifactEntry };
  elementBytes: number | undefined;
  /** The file name of a plain object, which is to be one in the target, too. */
  file: string | undefined;
}

/** Contents that lie in the target, and what it takes to look for them again. */
export interface StagedContents {
  contents: readonly SourceContent[];
  stored: StoredContents;
  session: Session;
  /** Their length. */
  contentBytes: number;
  /** The length of those that the target had already. */
  bytesDeduplicated: number;
}

/** So many small contents are in memory at a time. */
const SMALL_AT_ONCE = 16;

/** An attempt of the source. */
export interface SourceAttempt {
  path: TaskPath;
  attempt: number;
}

/** Tells whether values of attempts' own stay that in the target, where {@link copyOwnRows} copies them. */
export function keepsOwn({ target }: CopyContext): boolean {
  return !target.storage.capabilities.localReads;
}

/**
 * The contents that a table and reports refer to, each once, and values of the attempt's own where the target shares all.
 *
 * @throws StowageError `INVALID_ARGUMENT` for what has no other name than that in its own store
 */
export async function contentsOf(
  context: CopyContext,
  { artifacts }: ArtifactTable,
  attempt?: SourceAttempt,
  reports: readonly ReportEntry[] = [],
): Promise<SourceContent[]> {
  const contents = new Map<ContentKey, SourceContent>();
  for (const entry of artifacts) {
    const address = entry.content;
    const { key, bytes } = entry;
    if (entry.own && attempt && !keepsOwn(context) && !contents.has(key)) {
      const own = { attempt, entry };
      contents.set(key, {
        address: { key, bytes },
        own,
        elementBytes: elementBytesOf(entry),
        file: undefined,
      });
    }
    if (!address || contents.has(address.key)) continue;
    const file = await fileOf(context, address);
    contents.set(address.key, { address, elementBytes: elementBytesOf(entry), file });
  }
  for (const { name, content } of reports) {
    // A plain object, whatever else holds the same bytes: it is opened at its URI.
    contents.set(content.key, { address: content, elementBytes: undefined, file: `${name}.html` });
  }
  for (const { place, kind, name } of referencesIn(artifacts)) {
    if (kind !== 'key') throw fixed(name);
    if (contents.has(name)) continue;
    const address = { key: name, ...placeMember(place) };
    contents.set(name, { address, elementBytes: undefined, file: await fileOf(context, address) });
  }
  return [...contents.values()];
}

/** The name of the file, where the content is a plain object. */
async function fileOf(
  { source, options }: CopyContext,
  address: ContentAddress,
): Promise<string | undefined> {
  // Of what lies among the manifests, plain objects alone have no root. Of what a value refers to only the key is known.
  if (address.root !== undefined || address.copy?.startsWith('data/')) return undefined;
  const { reader } = await source.at(address.place ?? HERE, options);
  const plain = await reader.plainOf(address, options);
  return plain?.split('/').at(-1); // reading it will say what is wrong, if anything is
}

/** Has all contents in the target, under `session`: what is there is found, the rest is read, verified and written. */
export async function stageContents(
  context: CopyContext,
  contents: readonly SourceContent[],
  session: Session,
): Promise<StagedContents> {
  const { options, report } = context;
  const stored: StoredContents = new Map();
  const known = await session.rely(contents.map(toSought), options);
  for (const content of known) if (content) stored.set(content.key, content);
  const bytesDeduplicated = sum(stored);
  report.progress?.add(bytesDeduplicated);
  const absent = contents.filter(({ address }) => !stored.has(address.key));
  const goesTogether = ({ address, file }: SourceContent): boolean => isSmall(address) && file === undefined;
  const small = absent.filter(goesTogether);
  for (let start = 0; start < small.length; start += SMALL_AT_ONCE) {
    await copySmall(context, small.slice(start, start + SMALL_AT_ONCE), session, stored);
  }
  for (const content of absent.filter((one) => !goesTogether(one))) {
    const copied = await copyOnce(context, content, session);
    stored.set(copied.key, copied);
  }
  return { contents, stored, session, contentBytes: sum(stored), bytesDeduplicated };
}

/**
 * Looks for staged contents once more, under the pins of the session that is to keep them. What is not found any more is written
 * again; the pins keep it from now on.
 */
export async function relyOnStaged(
  context: CopyContext,
  copy: CopyIdentity,
  { contents, stored, session }: StagedContents,
): Promise<void> {
  for (let tries = 0; tries < MAX_COPY_TRIES; tries++) {
    const sought = contents.map((content) => {
      const { key, bytes } = stored.get(content.address.key) as StoredContent;
      return toSought({ ...content, address: { key, bytes } });
    });
    const found = await session.rely(sought, context.options);
    const gone = contents.filter((_, index) => !found[index]);
    for (const content of found) if (content) stored.set(content.key, content);
    if (gone.length === 0) return;
    const again = await stageContents(context, gone, session);
    for (const [key, content] of again.stored) stored.set(key, content);
  }
  throw contentLost('content', copy);
}

function sum(stored: StoredContents): number {
  let bytes = 0;
  for (const content of stored.values()) bytes += content.bytes;
  return bytes;
}

/** The entries that a session looks for, to find a content again. */
function toSought({ address, file }: SourceContent): SoughtContent {
  const sought = { key: address.key, bytes: address.bytes };
  return file === undefined ? sought : { ...sought, plain: true };
}

async function copySmall(
  { source, report, options }: CopyContext,
  contents: readonly SourceContent[],
  session: Session,
  stored: StoredContents,
): Promise<void> {
  throwIfAborted(options.signal);
  const own = contents.flatMap((content) => (content.own ? [content.own] : []));
  const [first] = own; // all are of one attempt
  const entries = own.map(({ entry }) => entry);
  const gathered = first ? await gatherValues(source, first.attempt, entries, options) : undefined;
  const loading = contents.map(async ({ address, own, elementBytes }): Promise<ContentInput> => {
    const bytes = own ? gathered?.get(address.key) : await source.reader.load(address, options);
    if (!(bytes instanceof Uint8Array)) throw bytes;
    return { bytes, elementBytes, isAbsent: true, progress: report.progress };
  });
  await Promise.allSettled(loading); // nothing goes on in the background after a failure
  for (const content of await session.put(await Promise.all(loading), options)) {
    stored.set(content.key, content);
  }
}

/**
 * Copies values of an attempt's own, which stay that in the target: one GET and one PUT for an object of them. Resolves to the rows as
 * they stand in the target.
 */
export async function copyOwnRows(
  { source, report, options }: CopyContext,
  attempt: SourceAttempt,
  artifacts: readonly ArtifactEntry[],
  session: Session,
): Promise<OwnRows> {
  const rows: OwnRows = new Map();
  const own = artifacts.filter((entry) => entry.own);
  const base = valuesBase(attempt.path, attempt.attempt);
  for (const batch of batchesOf(own, ({ bytes }) => bytes)) {
    throwIfAborted(options.signal);
    const gathered = await gatherValues(source, attempt, batch, options);
    const values = batch.map((entry) => {
      const bytes = gathered.get(entry.key);
      if (!(bytes instanceof Uint8Array)) throw bytes;
      report.contentBytes += bytes.length;
      return { bytes, elementBytes: elementBytesOf(entry), progress: report.progress };
    });
    const written = await session.putOwn(values, { ...options, base });
    batch.forEach((entry, index) => {
      rows.set(entry.name, { entry, ...(written[index] as WrittenValue) });
    });
  }
  return rows;
}

/** One after the other; what another task has in common with this one is written once. */
async function copyOnce(
  context: CopyContext,
  content: SourceContent,
  session: Session,
): Promise<StoredContent> {
  const { turns, written, report, options } = context;
  const { key } = content.address;
  return turns.run('large', async () => {
    throwIfAborted(options.signal);
    if (written.get(key)) {
      const [found] = await session.rely([toSought(content)], options);
      if (found) {
        report.progress?.add(found.bytes);
        return found;
      }
    }
    const copied = await copyLarge(context, content, session);
    written.set(key, true);
    return copied;
  });
}

async function copyLarge(
  context: CopyContext,
  { address, elementBytes, file }: SourceContent,
  session: Session,
): Promise<StoredContent> {
  const { options, source, report } = context;
  const { progress } = report;
  if (file !== undefined && isSmall(address)) {
    return session.putPlain(file, await source.reader.load(address, options), { ...options, progress });
  }
  const bytes = told(context, source.reader.stream(address, options));
  if (file !== undefined) return session.putPlain(file, bytes, { ...options, progress });
  return session.putStream(bytes, { ...options, elementBytes, progress, expectedBytes: address.bytes });
}

async function* told({ report }: CopyContext, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    yield piece;
    report.progressed();
  }
}

function isSmall({ bytes }: ContentAddress): boolean {
  return bytes !== undefined && bytes < CHUNKED_FROM_BYTES;
}

function fixed(name: string): StowageError {
  return invalidArgument(
    `A value refers to ${name}, which has no other name than that in its own store, so that it cannot be copied. Load the value and save it in the other store.`,
    { name },
  );
}
