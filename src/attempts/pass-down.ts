import type { ContentAddressedStore } from '../content/content-addressed-store.ts';
import { CHUNKED_FROM_BYTES, type ContentInput, type ContentWriter } from '../content/content-writer.ts';
import type { SessionWriters } from '../content/session-writers.ts';
import { invalidArgument, StowageError, throwIfAborted } from '../errors.ts';
import { listAttempts } from '../format/attempt-files.ts';
import type { ContentRef } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { formatPathspec } from '../format/pathspec.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { CallOptions } from '../storage/contract.ts';
import { ELEMENT_TYPES } from '../values/element-types.ts';
import type { ReadAttempt } from './attempt-reader.ts';
import type { TableRow, TableWriter } from './attempt-table.ts';

/** An attempt that was read, and the store it lies in. */
export interface AttemptSource {
  content: ContentAddressedStore;
  read: ReadAttempt;
}

/** How many bytes of small contents are read before they are written together. */
const GATHER_BYTES = 8 * 1024 * 1024;

/**
 * Rows of another attempt of the same store, whose content, and what they refer to, is relied on where it lies, not copied. References inside values belong to the
 * table as a whole, so that all of the source's are kept.
 *
 * @throws StowageError `CONTENT_PURGED`, `CONTENT_NOT_FOUND`
 */
export async function passDown(
  { content, read }: AttemptSource,
  entries: readonly ArtifactEntry[],
  { writers }: TableWriter,
  options: CallOptions,
): Promise<TableRow[]> {
  const refs = read.described?.table().refs ?? [];
  const stored = entries.filter((entry) => entry.content);
  const contents = stored.map((entry) => entry.content as StoredContent);
  if (contents.length + refs.length === 0) return entries.map((entry) => ({ entry, refs }));
  if (read.purged && contents.length > 0) throw purged(read, stored);
  const stands = (): Promise<boolean> => stillStands(content, read, options);
  if (await writers.relyOnDescribed(contents, refs, stands, options))
    return entries.map((entry) => ({ entry, refs }));
  const [missing] = await writers.relyOnRefs(refs, options);
  if (missing) throw goneRef(read, missing);
  const found = await writers.relyAll(contents, options);
  const foundByKey = new Map(contents.map(({ key }, index) => [key, found[index]]));
  return entries.map((entry) => {
    if (!entry.content) return { entry, refs };
    const reliable = foundByKey.get(entry.key);
    if (!reliable) throw gone(read, entry);
    return { entry: { ...entry, content: reliable }, refs };
  });
}

/**
 * Rows of an attempt of another store. What this store does not have is read there, verified, and written here, piece by piece.
 *
 * @throws StowageError `CONTENT_PURGED`, and what reading and writing throw
 */
export async function transfer(
  source: AttemptSource,
  entries: readonly ArtifactEntry[],
  target: TableWriter,
  options: CallOptions,
): Promise<TableRow[]> {
  const refs = source.read.described?.table().refs ?? [];
  const stored = entries.filter((entry) => entry.content);
  if (source.read.purged && stored.length > 0) throw purged(source.read, stored);
  await transferRefs(source, refs, target.writers, options);
  const sought = stored.map(({ key, bytes }) => ({ key, bytes }));
  const writer = await target.writers.to(sought.length === 0 ? undefined : target.rawDataPath, options);
  const known = await writer.relyAll(sought, options);
  const contents = new Map<string, StoredContent>();
  stored.forEach(({ key }, index) => {
    const found = known[index];
    if (found) contents.set(key, found);
  });
  const absent = stored.filter(({ key }) => !contents.has(key));
  await copyContents(source.content, absent, writer, contents, options);
  return entries.map((entry) => {
    if (!entry.content) return { entry, refs };
    return { entry: { ...entry, content: contents.get(entry.key) as StoredContent }, refs };
  });
}

/** Small contents are written together, large ones one after the other as they are read. */
async function copyContents(
  from: ContentAddressedStore,
  entries: readonly ArtifactEntry[],
  writer: ContentWriter,
  copied: Map<string, StoredContent>,
  options: CallOptions,
): Promise<void> {
  let gathered: ContentInput[] = [];
  let gatheredBytes = 0;
  const flush = async (): Promise<void> => {
    for (const content of await writer.saveAll(gathered, options)) copied.set(content.key, content);
    gathered = [];
    gatheredBytes = 0;
  };
  for (const entry of entries) {
    throwIfAborted(options.signal);
    if (copied.has(entry.key)) continue;
    const address = entry.content as StoredContent;
    const elementBytes = elementBytesOf(entry);
    if (entry.bytes < CHUNKED_FROM_BYTES) {
      gathered.push({ bytes: await from.reader.load(address, options), elementBytes });
      gatheredBytes += entry.bytes;
      if (gatheredBytes >= GATHER_BYTES) await flush();
    } else {
      const bytes = from.reader.stream(address, options);
      copied.set(entry.key, await writer.saveStream(bytes, { ...options, elementBytes }));
    }
  }
  await flush();
}

/** What references inside values point at comes along; objects of the other store that have a name only there cannot. */
async function transferRefs(
  { content, read }: AttemptSource,
  refs: readonly ContentRef[],
  writers: SessionWriters,
  options: CallOptions,
): Promise<void> {
  const fixed = refs.find(({ place, kind }) => place !== '' || kind !== 'key');
  if (fixed) {
    throw invalidArgument(
      `${formatPathspec(read.path, read.attempt)} refers to ${fixed.name}, which has no other name than that in its own store, so that it cannot be transferred. Load the value and save it again.`,
      { flow: read.path.flow, name: fixed.name },
    );
  }
  const writer = await writers.at();
  for (const { name } of await writers.relyOnRefs(refs, options))
    await writer.saveStream(content.reader.stream({ key: name }, options), options);
}

/** Whether the attempt's description is there, and nothing gave up its content. */
async function stillStands(
  { storage }: ContentAddressedStore,
  { path, attempt }: ReadAttempt,
  options: CallOptions,
): Promise<boolean> {
  const files = (await listAttempts(storage, path, options)).get(attempt);
  const givenUp = files?.has('deleted') || files?.has('purged') || files?.has('erased');
  return !givenUp && files?.has('done') === true && files.has('metadata');
}

/** How wide the elements of an artifact's bytes are, for byte-grouped compression. */
export function elementBytesOf({ encoding, type }: ArtifactEntry): number | undefined {
  if (encoding !== 'typed-array') return undefined;
  const width = ELEMENT_TYPES.find(({ name }) => name === type)?.elementBytes;
  return width === 1 ? undefined : width;
}

function purged(read: ReadAttempt, entries: readonly ArtifactEntry[]): StowageError {
  const pathspec = formatPathspec(read.path, read.attempt);
  const artifacts = entries.map(({ name }) => name);
  return new StowageError(
    'CONTENT_PURGED',
    `The content of ${artifacts.join(', ')} of ${pathspec} was given up by retention, so that it cannot be passed on. Run the task again, or pass on others by name.`,
    { details: { flow: read.path.flow, pathspec, artifacts } },
  );
}

function goneRef(read: ReadAttempt, { kind, name }: ContentRef): StowageError {
  const pathspec = formatPathspec(read.path, read.attempt);
  return new StowageError(
    'CONTENT_NOT_FOUND',
    `Values of ${pathspec} refer to the ${kind} ${name}, of which nothing whole is in the store, so that they cannot be passed on. Run the task again.`,
    { details: { flow: read.path.flow, pathspec, kind, name } },
  );
}

function gone(read: ReadAttempt, { name, key }: ArtifactEntry): StowageError {
  const pathspec = formatPathspec(read.path, read.attempt);
  return new StowageError(
    'CONTENT_NOT_FOUND',
    `No whole copy of the content of artifact ${name} of ${pathspec} is in the store, so that it cannot be passed on. Run the task again.`,
    { details: { flow: read.path.flow, pathspec, artifact: name, key } },
  );
}
