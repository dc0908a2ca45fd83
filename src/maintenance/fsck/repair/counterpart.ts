import { digestHex } from '../../../digest/blake3.ts';
import type { DescriptionMarks } from '../../../format/current-description.ts';
import { readCurrentDescription } from '../../../format/current-description.ts';
import {
  type ArtifactEntry,
  decodeTable,
  type ReadDescription,
  readDescription,
} from '../../../format/description.ts';
import { decodeRecord } from '../../../format/record.ts';
import type { RecordSubject } from '../../../format/record-fields.ts';
import {
  type AttemptRecord,
  type DoneRecord,
  decodeAttempt,
  decodeDone,
  readSessionFile,
  SESSION_FILES,
  type SessionOrigin,
} from '../../../format/session-files.ts';
import type { SessionId } from '../../../format/session-id.ts';
import { originOf } from '../../../sessions/closed-result.ts';
import { copiedSessionId } from '../../../sessions/copied-session.ts';
import type { CallOptions } from '../../../storage/contract.ts';
import { type ListedSession, listSessions } from '../../collection/session-listing.ts';
import { isFaultOfSource, type SourceStore } from './repair-context.ts';

/** The same session in a source: the copy of one of the store, the one of which that is a copy, or the very same in a store that was copied file by file. */
export interface Counterpart {
  readonly source: SourceStore;
  /** That of the session in the store which is mended, as follows from the source. */
  readonly session: SessionId;
  /** As the records in the store which is mended have it. */
  readonly origin: SessionOrigin | undefined;
  /** The bytes are those of the store: the source was copied file by file. */
  readonly isSame: boolean;
  /** Absent where it is open there. */
  readonly done: { readonly record: DoneRecord; readonly bytes: Uint8Array } | undefined;
  /** Absent where it is damaged there. */
  readonly attempt: { readonly record: AttemptRecord; readonly bytes: Uint8Array } | undefined;
  /** Absent where nothing is described there, or it is damaged. */
  readonly described:
    | {
        readonly description: ReadDescription;
        readonly artifacts: readonly ArtifactEntry[];
        /** Of metadata.json; absent after an erasure. */
        readonly bytes: Uint8Array | undefined;
        readonly erased: { readonly reason: string; readonly artifacts: readonly string[] } | undefined;
      }
    | undefined;
}

/** One whose description is whole. */
export type DescribedCounterpart = Counterpart & { described: NonNullable<Counterpart['described']> };

/**
 * Reads a session in a source, as far as it is whole there. `undefined` where the source does not have it.
 *
 * @param base of the names of its files
 * @param targetId the id of the store that is mended
 */
export async function readCounterpart(
  source: SourceStore,
  base: string,
  targetId: string,
  options: CallOptions,
): Promise<Counterpart | undefined> {
  const listed = await listOne(source, base, options);
  if (!listed) return undefined;
  const done = await readWhole(source, listed, SESSION_FILES.done, decodeDone, options);
  const attempt = await readWhole(source, listed, SESSION_FILES.attempt, decodeAttempt, options);
  const theirs = done?.record ?? attempt?.record;
  if (!theirs) return undefined;
  const isSame = source.id === targetId;
  const origin = originOf(theirs as DoneRecord, source.id);
  const isOfTarget = origin.store === targetId;
  const session = sessionIn(targetId, listed.subject, { isSame, isOfTarget, theirs: theirs.session, origin });
  const known = isSame ? theirs.origin : isOfTarget ? undefined : origin;
  const described = done && (await readDescribed(source, listed, done.record, options));
  return { source, session, origin: known, isSame, done, attempt, described };
}

function sessionIn(
  targetId: string,
  { loose, session: own }: RecordSubject,
  of: { isSame: boolean; isOfTarget: boolean; theirs: SessionId; origin: SessionOrigin },
): SessionId {
  if (loose) return own as SessionId; // copies keep it
  if (of.isSame) return of.theirs;
  return of.isOfTarget ? of.origin.session : copiedSessionId(targetId, of.origin);
}

async function readWhole<T>(
  { store: { storage } }: SourceStore,
  { base, subject }: ListedSession,
  file: string,
  decode: (bytes: Uint8Array, what: string, subject: RecordSubject) => T,
  options: CallOptions,
): Promise<{ record: T; bytes: Uint8Array } | undefined> {
  try {
    const bytes = await readSessionFile(storage, base + file, options);
    return bytes && { record: decode(bytes, storage.uri(base + file), subject), bytes };
  } catch (error) {
    if (!isFaultOfSource(error)) throw error;
    return undefined;
  }
}

async function readDescribed(
  source: SourceStore,
  listed: ListedSession,
  done: DoneRecord,
  options: CallOptions,
): Promise<Counterpart['described']> {
  if (done.outcome === 'abandoned' || listed.files.has('deleted')) return undefined;
  const { storage, reader } = source.store;
  const listAgain = async (): Promise<DescriptionMarks | undefined> => {
    const now = await listOne(source, listed.base, options);
    return now && { isDeleted: now.files.has('deleted'), erasedRevision: now.erasedRevision };
  };
  const session = { base: listed.base, subject: { ...listed.subject, session: done.session }, done };
  try {
    const found = await readCurrentDescription(storage, session, listed, listAgain, options);
    if (!found) return undefined;
    const { table } = found.description;
    const { artifacts } =
      typeof table === 'function' ? table() : decodeTable(await reader.load(table, options), table.copy);
    return { description: found.description, artifacts, bytes: found.metadata, erased: found.erased };
  } catch (error) {
    if (!isFaultOfSource(error)) throw error;
    return undefined;
  }
}

async function listOne(
  { store }: SourceStore,
  base: string,
  options: CallOptions,
): Promise<ListedSession | undefined> {
  for await (const listed of listSessions(store.storage, options, [`${base}.`])) return listed;
  return undefined;
}

/** True for bytes that are a description of this session, whatever DONE says of them. */
export function isDescriptionOf(bytes: Uint8Array, subject: RecordSubject, session: SessionId): boolean {
  try {
    readDescription(decodeRecord(bytes, ''), '', { ...subject, session });
    return true;
  } catch (error) {
    if (!isFaultOfSource(error)) throw error;
    return false;
  }
}

export function isDigestOf(bytes: Uint8Array | undefined, digest: string | undefined): boolean {
  return bytes !== undefined && digest !== undefined && digestHex(bytes) === digest;
}
