import type { ContentAddressedStore } from '../../../content-addressed-store.ts';
import type { DescriptionMarks } from '../../../format/current-description.ts';
import { readCurrentDescription } from '../../../format/current-description.ts';
import { type ArtifactEntry, decodeTable } from '../../../format/description.ts';
import type { ReportEntry } from '../../../format/report-records.ts';
import { decodeDone, type Outcome, readSessionFile, SESSION_FILES } from '../../../format/session-files.ts';
import type { CallOptions } from '../../../storage/contract.ts';
import { readAhead } from '../../../streams/read-ahead.ts';
import { type ListedSession, listAgain, listSessions } from '../../collection/session-listing.ts';
import { isFaultOfSource } from './repair-context.ts';

/** What a session that is closed has and names. */
export interface KeptRows {
  readonly listed: ListedSession;
  readonly session: string;
  readonly outcome: Outcome;
  /** None of one whose content was given up. */
  readonly artifacts: readonly ArtifactEntry[];
  readonly reports: readonly ReportEntry[];
}

/** So many sessions are read ahead. */
const AHEAD = 15;

/** Reads all sessions that are closed, one after the other. What cannot be read is passed over: a check tells it. */
export async function* listKept(
  store: Pick<ContentAddressedStore, 'storage' | 'reader'>,
  options: CallOptions,
  prefixes?: readonly string[],
): AsyncGenerator<KeptRows> {
  const sessions = listSessions(store.storage, options, prefixes);
  const read = (listed: ListedSession): Promise<KeptRows | undefined> => readKept(store, listed, options);
  for await (const { result } of readAhead(sessions, read, options, AHEAD)) if (result) yield result;
}

async function readKept(
  { storage, reader }: Pick<ContentAddressedStore, 'storage' | 'reader'>,
  listed: ListedSession,
  options: CallOptions,
): Promise<KeptRows | undefined> {
  if (!listed.files.has('done')) return undefined;
  const name = listed.base + SESSION_FILES.done;
  try {
    const bytes = await readSessionFile(storage, name, options);
    if (!bytes) return undefined;
    const done = decodeDone(bytes, name, listed.subject);
    const { session, outcome } = done;
    const isEmpty = ['deleted', 'purged'].some((mark) => listed.files.has(mark as 'deleted'));
    if (isEmpty || outcome === 'abandoned') return { listed, session, outcome, artifacts: [], reports: [] };
    const again = async (): Promise<DescriptionMarks | undefined> => {
      const now = await listAgain(storage, listed, options);
      return now && { isDeleted: now.files.has('deleted'), erasedRevision: now.erasedRevision };
    };
    const of = { base: listed.base, subject: { ...listed.subject, session }, done };
    const found = await readCurrentDescription(storage, of, listed, again, options);
    if (!found) return undefined;
    const { table, reports } = found.description;
    const rows =
      typeof table === 'function' ? table() : decodeTable(await reader.load(table, options), table.copy);
    return { listed, session, outcome, artifacts: rows.artifacts, reports };
  } catch (error) {
    if (!isFaultOfSource(error)) throw error;
    return undefined;
  }
}
