import { isDeepStrictEqual } from 'node:util';
import { HERE, refId } from '../format/content-ref.ts';
import type { Erasure } from '../format/current-description.ts';
import type { ArtifactTable, Description } from '../format/description.ts';
import type { ReportEntry } from '../format/report-records.ts';
import type { DoneRecord, SessionOrigin } from '../format/session-files.ts';

/** The result of a closed session: everything that a copy of it says again. */
export interface ClosedResult {
  done: DoneRecord;
  /** ISO 8601. */
  startedAt: string;
  label?: string | undefined;
  /** Absent where nothing is described: the session was abandoned, or everything of it was given up. */
  described?: {
    table: ArtifactTable;
    reports: readonly ReportEntry[];
    metadata: Description['metadata'];
    readFrom: readonly string[];
    takenOver?: Description['takenOver'];
    returned?: Description['returned'];
  };
  /** Retention gave up the content. */
  purged: boolean;
  /** Retention gave up everything. */
  deleted: boolean;
  erased?: Erasure;
}

/** The session that made a result first, wherever that was. */
export function originOf({ origin, session }: DoneRecord, storeId: string): SessionOrigin {
  return origin ?? { store: storeId, session };
}

/**
 * Tells whether two closed sessions have the same result: how they ended, which artifacts they have, and what was said of them. When
 * they ran does not count, nor where their content lies.
 */
export function isSameResult(a: ClosedResult, b: ClosedResult): boolean {
  return isDeepStrictEqual(comparable(a), comparable(b));
}

function comparable({ done, described, erased }: ClosedResult): object {
  const { outcome, error } = done;
  return {
    outcome,
    error: error && [error.name, error.message],
    described: described && comparableDescription(described),
    erased: erased?.artifacts,
  };
}

/** The members on which two equal descriptions agree. */
export function comparableDescription({
  table,
  reports,
  metadata,
  readFrom,
}: NonNullable<ClosedResult['described']>): object {
  return {
    artifacts: new Map(
      table.artifacts.map(({ name, type, encoding, info, key, bytes, refs = [] }) => [
        name,
        {
          type,
          encoding,
          info,
          key,
          bytes,
          refs: new Set(refs.map((ref) => refId({ ...ref, place: HERE }))),
        },
      ]),
    ),
    reports: new Map(reports.map(({ name, title, content: { key } }) => [name, { title, key }])),
    metadata,
    readFrom: new Set(readFrom),
  };
}
