import type { ContentStore } from '../content/content-store.ts';
import { digestHex } from '../digest/blake3.ts';
import { StowageError } from '../errors.ts';
import { decodeDescription, decodeTable, MAX_DESCRIPTION_BYTES } from '../format/description.ts';
import { decodeDone, readSessionFile, SESSION_FILES, standaloneFiles } from '../format/session-files.ts';
import type { SessionId } from '../format/session-id.ts';
import type { CallOptions } from '../storage/contract.ts';
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
  const name = base + SESSION_FILES.metadata;
  const what = storage.uri(name);
  const described = await storage.get(name, { ...options, maxBytes: MAX_DESCRIPTION_BYTES });
  if (!described) {
    if (done.outcome !== 'done' || (await storage.head(base + SESSION_FILES.deleted, options)))
      return undefined;
    throw damaged(what, 'it is missing, and nothing says that it was given up');
  }
  if (digestHex(described.body) !== done.metadataDigest)
    throw damaged(what, 'it is not the one that DONE names');
  const { startedAt, table, metadata, readFrom } = decodeDescription(described.body, what, subject);
  const rows = typeof table === 'function' ? table() : decodeTable(await reader.load(table, options), what);
  return {
    done,
    startedAt,
    described: { table: rows, reports: [], metadata, readFrom },
    purged: false,
    deleted: false,
  };
}

function damaged(what: string, why: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is damaged: ${why}. Restore it from a copy of the store.`,
    { details: { what } },
  );
}
