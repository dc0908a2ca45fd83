import { isOfOneRecord, type ListedRun } from '../attempts/run-listing.ts';
import { isStowageError } from '../errors.ts';
import type { AttemptFiles } from '../format/attempt-files.ts';
import { parseAttemptName } from '../format/pathspec.ts';
import type { ListedPublished } from '../format/published-names.ts';
import type { IndexRow } from './index-database.ts';

/** A time of a record, in milliseconds since 1970; `undefined` where there is none. */
export function timeOf(iso: string | undefined): number | undefined {
  const ms = Date.parse(iso ?? '');
  return Number.isFinite(ms) ? ms : undefined;
}

/** Tells the state of a run that a listing showed from others. */
export function seenOfRun({ createdAtMs, finished, latestEnd, latestPin, isMarked }: ListedRun): string {
  return [createdAtMs, finished ? latestEnd : '', latestPin ?? '', isMarked ? 'DELETED' : ''].join('.');
}

const FILES = ['attempt', 'metadata', 'done', 'purged', 'deleted'] as const;

/** Tells the state of an attempt that a listing showed from others. */
export function seenOfAttempt(files: AttemptFiles): string {
  const there = FILES.filter((file) => files.has(file));
  return [...there, ...(files.erasedRevision === undefined ? [] : [`erased ${files.erasedRevision}`])].join(
    ' ',
  );
}

/** Tells the state of a published version that a listing showed from others. */
export function seenOfPublished({
  recorded,
  withdrawn,
}: Pick<ListedPublished, 'recorded' | 'withdrawn'>): string {
  return `${recorded ? 'recorded' : ''}.${withdrawn ? 'withdrawn' : ''}`;
}

/** The attempts that pathspecs name, each once. What is no pathspec of an attempt is left out. */
export function readsOf(readFrom: readonly string[]): IndexRow[] {
  return [...new Set(readFrom)].flatMap((pathspec) => {
    const attempt = parseAttemptName(pathspec);
    return attempt ? [{ ...attempt }] : [];
  });
}

/** True for an error of one subject, while the store is there: its row says so, and the others are gone on with. */
export function isOfSubject(error: unknown): boolean {
  return isOfOneRecord(error) || isStowageError(error, ...OF_CONTENT);
}

const OF_CONTENT = [
  'CONTENT_NOT_FOUND',
  'CONTENT_DAMAGED',
  'CONTENT_LOST',
  'CONTENT_TOO_LARGE',
  'CODEC_UNAVAILABLE',
  'PLACE_NOT_FOUND',
  'PLACE_UNREACHABLE',
  'PLACE_NOT_OURS',
  'PLACE_NOT_TRUSTED',
] as const;
