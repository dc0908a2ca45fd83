import type { ContentStore } from '../content/content-store.ts';
import { StowageError } from '../errors.ts';
import { type DescriptionMarks, readCurrentDescription } from '../format/current-description.ts';
import { decodeTable } from '../format/description.ts';
import {
  decodeDone,
  erasedRevisionOf,
  readSessionFile,
  SESSION_FILES,
  standaloneFiles,
} from '../format/session-files.ts';
import type { SessionId } from '../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { ClosedResult } from './closed-result.ts';

/**
 * Reads what a closed session outside tasks keeps. `undefined` where it was released.
 *
 * @throws StowageError `RECORD_DAMAGED`, also where nothing says that the session was closed; `UNSUPPORTED_FORMAT`
 */
export async function readStandaloneResult(
  { storage, reader }: ContentStore,
  session: SessionId,
  options: CallOptions,
): Promise<ClosedResult | undefined> {
  const { base, subject } = standaloneFiles(session);
  const doneName = base + SESSION_FILES.done;
  const bytes = await readSessionFile(storage, doneName, options);
  if (!bytes) throw damaged(storage.uri(doneName), 'it was told of but cannot be read');
  const done = decodeDone(bytes, storage.uri(doneName), subject);
  if (done.outcome === 'abandoned') return undefined;
  const listAgain = async (): Promise<DescriptionMarks> => {
    const marks = await listMarks(storage, base, options);
    // One that failed keeps nothing, and need not have been described.
    return done.outcome === 'done' ? marks : { ...marks, isDeleted: true };
  };
  const current = await readCurrentDescription(storage, { base, subject, done }, {}, listAgain, options);
  if (!current) return undefined;
  const { startedAt, table, metadata, readFrom } = current.description;
  const rows =
    typeof table === 'function' ? table() : decodeTable(await reader.load(table, options), table.copy);
  return {
    done,
    startedAt,
    described: { table: rows, reports: [], metadata, readFrom },
    purged: false,
    deleted: false,
    ...(current.erased ? { erased: current.erased } : {}),
  };
}

async function listMarks(
  storage: DataStoreStorage,
  base: string,
  { signal }: CallOptions,
): Promise<DescriptionMarks> {
  const marks: DescriptionMarks = { isDeleted: false };
  for await (const page of storage.list({ prefix: `${base}.`, signal })) {
    for (const { name } of page.objects) {
      const suffix = name.slice(base.length);
      if (suffix === SESSION_FILES.deleted) marks.isDeleted = true;
      const revision = erasedRevisionOf(suffix);
      if (revision !== undefined) marks.erasedRevision = Math.max(revision, marks.erasedRevision ?? 0);
    }
  }
  return marks;
}

function damaged(what: string, why: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is damaged: ${why}. Restore it from a copy of the store.`,
    { details: { what } },
  );
}
