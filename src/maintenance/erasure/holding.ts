import type { ContentStore } from '../../content/content-store.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import {
  type DescriptionMarks,
  type Erasure,
  readCurrentDescription,
} from '../../format/current-description.ts';
import {
  type ArtifactEntry,
  decodeDescription,
  decodeTable,
  MAX_DESCRIPTION_BYTES,
  type ReadDescription,
} from '../../format/description.ts';
import { type OwnObject, readOwnObjects } from '../../format/own-values.ts';
import { decodeRecord } from '../../format/record.ts';
import type { ReportEntry } from '../../format/report-records.ts';
import {
  type DoneRecord,
  decodeDone,
  erasedFile,
  readSessionFile,
  SESSION_FILES,
} from '../../format/session-files.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { type ListedSession, listAgain } from '../collection/session-listing.ts';
import type { ErasureTargets } from './erased-keys.ts';

/** What a closed session has of the contents that are to go, as its description tells it. */
export interface Holding {
  /** As it was listed when the description was read. */
  readonly listed: ListedSession;
  readonly description: ReadDescription;
  readonly erased: Erasure | undefined;
  /** Rows that hold one. */
  readonly rows: readonly ArtifactEntry[];
  /** Those that stay. */
  readonly rest: readonly ArtifactEntry[];
  readonly reports: readonly ReportEntry[];
  /** Objects of values with the bytes of one, whether or not a row names them. */
  readonly objects: readonly OwnObject[];
  readonly keys: readonly ContentKey[];
}

/** A closed session as an erasure finds it. */
export interface FoundSession {
  holding?: Holding;
  /** Names of descriptions beside the one that counts: an erasure or a deletion was interrupted. */
  leftovers: readonly string[];
  /** One of these holds some of the contents, and counts for nothing: the session was abandoned. */
  held?: boolean;
  /** The objects of values that the description lists which counts. */
  standing: readonly OwnObject[];
}

/**
 * Reads what a closed session has of contents that are to go.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`, or what a moved table cannot be read for
 */
export async function readHolding(
  content: ContentStore,
  listed: ListedSession,
  targets: ErasureTargets,
  options: CallOptions,
): Promise<FoundSession> {
  const { storage } = content;
  const doneName = listed.base + SESSION_FILES.done;
  const bytes = await readSessionFile(storage, doneName, options);
  if (!bytes) {
    const message = `${storage.uri(doneName)} is damaged: it was listed and cannot be read. Restore it from a copy of the store.`;
    throw new StowageError('RECORD_DAMAGED', message, { details: { what: doneName } });
  }
  const done = decodeDone(bytes, storage.uri(doneName), listed.subject);
  if (done.outcome === 'abandoned') {
    const leftovers = await uncounted(content, listed, targets, options);
    return { leftovers, held: leftovers.length > 0, standing: [] };
  }
  let seen = listed;
  const listMarks = async (): Promise<DescriptionMarks> => {
    seen = (await listAgain(storage, listed, options)) ?? seen;
    return { isDeleted: seen.files.has('deleted'), erasedRevision: seen.erasedRevision };
  };
  if (listed.files.has('deleted')) return { leftovers: leftBeside(listed), standing: [] };
  const session = { base: listed.base, subject: ofSession(listed, done), done };
  const current = await readCurrentDescription(storage, session, listed, listMarks, options);
  const leftovers = leftBeside(seen);
  if (!current) return { leftovers, standing: [] };
  const { description, erased } = current;
  const { artifacts } =
    typeof description.table === 'function'
      ? description.table()
      : decodeTable(await content.reader.load(description.table, options), description.table.copy);
  const rows = targets.rowsIn(artifacts);
  const reports = description.reports.filter((report) => targets.has(report.content.key));
  const objects = description.values.filter(
    ({ object, dropped }) =>
      dropped.some((key) => targets.has(key)) || rows.some((row) => row.own?.object === object),
  );
  const standing = description.values;
  if (rows.length + reports.length + objects.length === 0) return { leftovers, standing };
  const keys = new Set([
    ...rows.flatMap((row) => targets.inRow(row)),
    ...reports.map((report) => report.content.key),
    ...objects.flatMap(({ dropped }) => dropped.filter((key) => targets.has(key))),
  ]);
  const held = new Set(rows);
  const rest = artifacts.filter((row) => !held.has(row));
  const holding = { listed: seen, description, erased, rows, rest, reports, objects, keys: [...keys] };
  return { holding, leftovers, standing };
}

/** Where all content was given up, the objects of values are gone, or about to be. */
export function isPurged({ listed }: Holding): boolean {
  return listed.files.has('purged');
}

function ofSession({ subject }: ListedSession, { session }: DoneRecord): ListedSession['subject'] {
  return { ...subject, session };
}

/** Descriptions that the one that counts supersedes, and one that a mark gave up: each may hold values. */
function leftBeside({ base, files, erasedRevision }: ListedSession): string[] {
  const isOver = erasedRevision !== undefined || files.has('deleted');
  const names = isOver && files.has('metadata') ? [base + SESSION_FILES.metadata] : [];
  const last = files.has('deleted') ? (erasedRevision ?? -1) + 1 : (erasedRevision ?? 0);
  for (let revision = 0; revision < last; revision++) names.push(base + erasedFile(revision));
  return names;
}

/** The description of an abandoned session counts for nothing; it goes where it holds any, or where nobody can tell. */
async function uncounted(
  content: ContentStore,
  { base, files, subject }: ListedSession,
  targets: ErasureTargets,
  options: CallOptions,
): Promise<string[]> {
  if (!files.has('metadata')) return [];
  const name = base + SESSION_FILES.metadata;
  const object = await content.storage.get(name, { ...options, maxBytes: MAX_DESCRIPTION_BYTES });
  if (!object) return [];
  const { table } = decodeDescription(object.body, content.storage.uri(name), subject);
  // A moved table is content that nothing keeps.
  return typeof table === 'function' && targets.rowsIn(table().artifacts).length === 0 ? [] : [name];
}

/** The objects of values that a description lists which counts no more; none where it cannot be read. */
export async function valuesListedBy(
  { storage }: ContentStore,
  name: string,
  options: CallOptions,
): Promise<OwnObject[]> {
  const object = await storage.get(name, { ...options, maxBytes: MAX_DESCRIPTION_BYTES });
  if (!object) return [];
  try {
    return readOwnObjects(decodeRecord(object.body, name), name);
  } catch (error) {
    // The collector finds them, as it finds all that no description lists.
    if (isStowageError(error, 'RECORD_DAMAGED')) return [];
    throw error;
  }
}
