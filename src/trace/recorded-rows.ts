import { AttemptView } from '../attempts/attempt-view.ts';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { isStowageError, StowageError, type StowageErrorCode } from '../errors.ts';
import type { ArtifactTable } from '../format/description.ts';
import { referencesIn } from '../format/refs.ts';
import type { CallOptions } from '../storage/contract.ts';

/** Errors by which a record counts for none: it is gone or damaged, or what it names is. */
export const GONE: readonly StowageErrorCode[] = [
  'RECORD_DAMAGED',
  'OBJECT_TOO_LARGE',
  'CONTENT_NOT_FOUND',
  'CONTENT_DAMAGED',
  'PLACE_NOT_FOUND',
];

/** The result of `work`; `undefined` where a record, or what it names, counts for none. */
export async function ifWhole<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isStowageError(error, ...GONE)) return undefined;
    throw error;
  }
}

/**
 * The rows of a record that attempt `recordedBy` made, to be loaded for `attempt`. What its values refer to may go into rows, and is relied on as
 * theirs is.
 *
 * @throws StowageError `CONTENT_NOT_FOUND` where a reference leads nowhere
 */
export async function rowsOf(
  attempt: OpenAttempt,
  recordedBy: number,
  table: ArtifactTable,
  what: string,
  options: CallOptions,
): Promise<AttemptView> {
  const [missing] = await attempt.relyOnRefs(referencesIn(table.artifacts), options);
  if (missing) {
    const { kind, name } = missing;
    throw new StowageError(
      'CONTENT_NOT_FOUND',
      `${what} refers to the ${kind} ${name}, of which nothing whole is in the store.`,
      { details: { what, kind, name } },
    );
  }
  const { content, registry } = attempt.context;
  const status = recordedBy === attempt.number ? 'open' : 'failed';
  const facts = { path: attempt.path, attempt: recordedBy, status, purged: false } as const;
  return new AttemptView(content, registry, { ...facts, described: { table: () => table } });
}
