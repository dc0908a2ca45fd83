import { invalidArgument, StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { isUserName } from '../storage/names.ts';
import { tryCreateOwn } from './create-own.ts';
import type { Description } from './description.ts';
import type { JsonValue } from './json-value.ts';
import { formatPathspec, parseAttemptName, type TaskPath } from './pathspec.ts';
import { encodeRecord } from './record.ts';
import { readObject, readOptional, readRecord, readString, readTime } from './record-fields.ts';
import { type Owner, readOwner, thisOwner } from './session-files.ts';
import { isSessionId, type SessionId } from './session-id.ts';

/** The folder of published versions. */
export const NAMES_FOLDER = 'names/';
/** The highest number of a version: as far as twelve digits count down from. */
export const MAX_PUBLISHED_VERSION = 999_999_999_999;
/** The most bytes of a record of a published version. */
export const MAX_PUBLISHED_BYTES: number = 64 * 1024;

/** @throws StowageError `INVALID_ARGUMENT` for what is no number of a version */
export function checkVersion(version: unknown): void {
  if (
    Number.isSafeInteger(version) &&
    (version as number) >= 1 &&
    (version as number) <= MAX_PUBLISHED_VERSION
  )
    return;
  const given = typeof version === 'string' ? JSON.stringify(version) : String(version);
  throw invalidArgument(`A published version is a number from 1 on, or 'latest', not ${given}.`);
}

/** One version of a name. */
export interface PublishedId {
  /** The name that it is published under, one of the whole store. */
  name: string;
  /** From 1 on, without gaps. */
  version: number;
}

/** The content of `names/<name>/<version>.json`: it points at the session outside tasks that keeps the value and all that is said of it. */
export interface PublishedRecord extends PublishedId {
  session: SessionId;
  /** ISO 8601, by the publisher's clock. */
  publishedAt: string;
  /** The process that published it. */
  owner: Owner;
}

/** A version as a listing shows it. */
export interface ListedPublished extends PublishedId {
  /** A mark says that it was withdrawn. */
  withdrawn: boolean;
  /** The record is there. It stays when a version is withdrawn. */
  recorded: boolean;
}

/** What the session of a published version says of it, beside its one row. */
export interface PublishedFacts {
  /** The name of the artifact, which is that of the row. */
  artifact: string;
  /** The attempt that the artifact is of. It may be gone. */
  source: { path: TaskPath; attempt: number };
  /** Text for people. */
  description?: string | undefined;
  /** What the publisher says of it, for programs: any JSON. */
  attributes: Readonly<Record<string, JsonValue>>;
}

/** The beginning of the names of all objects of a published name. */
export function publishedFolder(name: string): string {
  return `${NAMES_FOLDER}${name}/`;
}

export function publishedRecordName({ name, version }: PublishedId): string {
  return `${publishedBase({ name, version })}.json`;
}

/** The name of the empty object that withdraws a version. */
export function withdrawnMarkName({ name, version }: PublishedId): string {
  return `${publishedBase({ name, version })}.DELETED`;
}

function publishedBase({ name, version }: PublishedId): string {
  return publishedFolder(name) + String(MAX_PUBLISHED_VERSION - version).padStart(12, '0');
}

/** The version that the name of an object is of; `undefined` of all other names. */
export function parsePublishedName(object: string): (PublishedId & { isMark: boolean }) | undefined {
  const [, name = '', digits = '', suffix] = /^names\/([^/]+)\/(\d{12})\.(json|DELETED)$/.exec(object) ?? [];
  const version = MAX_PUBLISHED_VERSION - Number(digits);
  if (suffix === undefined || version < 1 || !isUserName(name)) return undefined;
  return { name, version, isMark: suffix === 'DELETED' };
}

/**
 * Creates the record of a version, which publishes it. `false` where somebody else's has the number.
 *
 * @param session closed already, so that whoever reads the record finds all that it keeps
 */
export async function createPublishedRecord(
  storage: DataStoreStorage,
  { name, version, session, publishedAt }: Omit<PublishedRecord, 'owner'>,
  { signal }: CallOptions,
): Promise<boolean> {
  const fields = { format: 1, kind: 'published-version', session, name, version, publishedAt };
  const record = encodeRecord({ ...fields, owner: thisOwner() });
  return tryCreateOwn(storage, publishedRecordName({ name, version }), record, {
    signal,
    durability: 'barrier',
  });
}

/**
 * Reads the record of a version.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export function decodePublished(
  bytes: Uint8Array,
  what: string,
  { name, version }: PublishedId,
): PublishedRecord {
  const record = readRecord(bytes, what, 'published-version', { name, version });
  const session = readString(record, 'session', what);
  if (!isSessionId(session)) throw damaged(what, 'names a session that can be none');
  return {
    name,
    version,
    session,
    publishedAt: readTime(record, 'publishedAt', what),
    owner: readOwner(record, what),
  };
}

/** One GET: the record of a version; `undefined` where there is none. Throws as {@link decodePublished}. */
export async function readPublishedRecord(
  storage: DataStoreStorage,
  id: PublishedId,
  { signal }: CallOptions,
): Promise<PublishedRecord | undefined> {
  const object = publishedRecordName(id);
  const found = await storage.get(object, { signal, maxBytes: MAX_PUBLISHED_BYTES });
  return found && decodePublished(found.body, storage.uri(object), id);
}

/**
 * Lists the versions of a name, or of all names in the order of the objects, each newest first: one LIST, of which whoever stops early
 * pays for the pages that were read.
 */
export async function* listVersions(
  storage: DataStoreStorage,
  { signal, name: only }: CallOptions & { name?: string | undefined },
): AsyncGenerator<ListedPublished, void> {
  const prefix = only === undefined ? NAMES_FOLDER : publishedFolder(only);
  let current: ListedPublished | undefined;
  for await (const page of storage.list({ prefix, signal })) {
    for (const object of page.objects) {
      const found = parsePublishedName(object.name);
      if (!found) continue;
      const { name, version, isMark } = found;
      if (current?.name !== name || current.version !== version) {
        if (current) yield current;
        current = { name, version, withdrawn: false, recorded: false };
      }
      if (isMark) current.withdrawn = true;
      else current.recorded = true;
    }
  }
  if (current) yield current;
}

/** The names that something is published under, in the order of the objects: one LIST, a level deep. */
export async function* listNames(
  storage: DataStoreStorage,
  { signal }: CallOptions,
): AsyncGenerator<string, void> {
  for await (const page of storage.list({ prefix: NAMES_FOLDER, depth: 'one', signal })) {
    for (const folder of page.folders) yield folder.slice(NAMES_FOLDER.length, -1);
  }
}

/** What the description of the session says of a published version. */
export function describePublished({
  artifact,
  source,
  description,
  attributes,
}: PublishedFacts): Pick<Description, 'metadata' | 'readFrom'> {
  const told = description === undefined ? {} : { description };
  const { path, attempt } = source;
  return {
    metadata: { published: { artifact, ...told, attributes } },
    readFrom: [`${path.flow}/${formatPathspec(path, attempt)}`],
  };
}

/**
 * Reads what the description of a session says of a published version; `undefined` of a session that keeps something else.
 *
 * @throws StowageError `RECORD_DAMAGED`, naming `what`
 */
export function publishedFactsOf(
  { metadata, readFrom }: { metadata: Description['metadata']; readFrom: readonly string[] },
  what: string,
): PublishedFacts | undefined {
  const published = readOptional(readObject, metadata, 'published', what);
  if (!published) return undefined;
  const description = readOptional(readString, published, 'description', what);
  return {
    artifact: readString(published, 'artifact', what),
    source: parseSource(readFrom[0], what),
    ...(description === undefined ? {} : { description }),
    attributes: readObject(published, 'attributes', what) as Record<string, JsonValue>,
  };
}

function parseSource(text = '', what: string): PublishedFacts['source'] {
  const named = parseAttemptName(text);
  if (!named) throw damaged(what, 'tells no attempt that its artifact is of');
  const { attempt, ...path } = named;
  return { path, attempt };
}

function damaged(what: string, how: string): StowageError {
  const message = `${what} ${how}; restore it from a copy of the store.`;
  return new StowageError('RECORD_DAMAGED', message, { details: { what } });
}
