import type { ContentStore } from '../content/content-store.ts';
import { StowageError } from '../errors.ts';
import type { Erasure } from '../format/current-description.ts';
import type { ArtifactTable } from '../format/description.ts';
import {
  type PublishedFacts,
  type PublishedId,
  type PublishedRecord,
  publishedFactsOf,
  readPublishedRecord,
} from '../format/published-names.ts';
import { SESSION_FILES, standaloneFiles } from '../format/session-files.ts';
import { readStandaloneResult } from '../sessions/standalone-result.ts';
import type { CallOptions } from '../storage/contract.ts';

/** A published version as its records tell it: that of its name, and those of the session that keeps it. */
export interface ReadVersion extends PublishedRecord, PublishedFacts {
  /** One row; none once its content was erased. */
  table: ArtifactTable;
  erased?: Erasure | undefined;
}

/** A version whose record is there. */
export type FoundVersion =
  | { state: 'kept'; version: ReadVersion }
  /** The session was released: the version was withdrawn, or is about to be. */
  | { state: 'released'; record: PublishedRecord };

/**
 * Reads a version by what its name points at: three GETs. `undefined` where there is none of the number. Whether a mark withdraws it is
 * asked before: what a copy has of a withdrawn version is its record and the mark.
 *
 * @throws StowageError `RECORD_DAMAGED`, also where the session that it points at is missing; `UNSUPPORTED_FORMAT`
 */
export async function readVersion(
  content: ContentStore,
  id: PublishedId,
  options: CallOptions,
): Promise<FoundVersion | undefined> {
  const record = await readPublishedRecord(content.storage, id, options);
  if (!record) return undefined;
  const result = await readStandaloneResult(content, record.session, options);
  if (!result?.described) return { state: 'released', record };
  const { base } = standaloneFiles(record.session);
  const what = content.storage.uri(base + SESSION_FILES.metadata);
  const facts = publishedFactsOf(result.described, what);
  if (!facts) throw notItsSession(what, id);
  const { table } = result.described;
  return { state: 'kept', version: { ...record, ...facts, table, erased: result.erased } };
}

function notItsSession(what: string, { name, version }: PublishedId): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} says nothing of a published version, and version ${version} of ${name} points at it. Restore both from a copy of the store.`,
    { details: { what, name, version } },
  );
}
