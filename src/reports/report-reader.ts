import { mapBounded } from '../async/bounded-work.ts';
import type { ContentStore } from '../content/content-store.ts';
import { StowageError } from '../errors.ts';
import { HERE } from '../format/content-ref.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import { type ReportEntry, readReportVersions } from '../format/report-records.ts';
import { listed } from '../options/suggestions.ts';
import type { CallOptions } from '../storage/contract.ts';
import { isReport } from './document.ts';

/** So many reports of one attempt are asked for at once. */
const CONCURRENCY = 8;

/** A report of an attempt, as its records tell it. */
export interface ReportInfo {
  name: string;
  /** What people call it. */
  title: string;
  /** Length of the HTML file. */
  bytes: number;
  /** BLAKE3-256 of the file: equal reports have equal keys, and are stored once. */
  key: string;
  /** The address at which any tool opens the file; absent where its content is gone. */
  uri?: string;
  /** Its task has ended: no newer version comes. */
  isFinal: boolean;
}

/** An attempt that was read, as far as its reports go. */
export interface ReportedAttempt {
  path: TaskPath;
  attempt: number;
  status: string;
  purged: boolean;
  /** Absent for attempts that described nothing. */
  described?: { reports: readonly ReportEntry[] } | undefined;
}

/** The latest version of each report: as the description tells, or, of an attempt that has none, by a LIST and a GET each. */
export async function reportsOf(
  { storage }: Pick<ContentStore, 'storage'>,
  { path, attempt, described }: Pick<ReportedAttempt, 'path' | 'attempt' | 'described'>,
  options: CallOptions,
): Promise<readonly ReportEntry[]> {
  if (described) return described.reports;
  return (await readReportVersions(storage, path, attempt, options)).map(({ report }) => report);
}

/** Describes the latest version of each report of an attempt; one GET more each for its URI. */
export async function describeReports(
  store: ContentStore,
  attempt: ReportedAttempt,
  options: CallOptions,
): Promise<ReportInfo[]> {
  const reports = await reportsOf(store, attempt, options);
  return mapBounded(reports, CONCURRENCY, (report) => describeReport(store, attempt, report, options));
}

async function describeReport(
  store: ContentStore,
  { status, purged }: ReportedAttempt,
  { name, title, content }: ReportEntry,
  options: CallOptions,
): Promise<ReportInfo> {
  const { key, bytes, place = HERE } = content;
  const { reader, storage } = await store.at(place, options);
  const plain = purged ? undefined : await reader.plainOf(content, options);
  const uri = plain === undefined ? {} : { uri: storage.uri(plain) };
  return { name, title, bytes, key, ...uri, isFinal: status !== 'open' };
}

/**
 * The HTML file of a report, verified.
 *
 * @throws StowageError `REPORT_NOT_FOUND` (naming those there are), `CONTENT_PURGED`, `CONTENT_NOT_FOUND`, `CONTENT_DAMAGED`;
 * `UNSUPPORTED_FORMAT` for what is no report, so that scripts in it might run
 */
export async function loadReport(
  store: ContentStore,
  attempt: ReportedAttempt,
  name: string,
  options: CallOptions,
): Promise<Uint8Array> {
  const { path, purged } = attempt;
  const reports = await reportsOf(store, attempt, options);
  const report = reports.find((one) => one.name === name);
  const pathspec = formatPathspec(path, attempt.attempt);
  const details = { flow: path.flow, pathspec, report: name };
  const where = `attempt ${pathspec} of flow ${path.flow}`;
  if (!report) {
    const existing = reports.map((one) => one.name);
    const message = `There is no report ${JSON.stringify(name)} of ${where}; it has ${existing.length === 0 ? 'none' : listed(existing)}.`;
    throw new StowageError('REPORT_NOT_FOUND', message, { details: { ...details, existing } });
  }
  if (purged) {
    const message = `Report ${name} of ${where} was given up by retention, with the content of its artifacts. Run the task again to have it back.`;
    throw new StowageError('CONTENT_PURGED', message, { details });
  }
  const bytes = await store.reader.load(report.content, options);
  if (isReport(bytes)) return bytes;
  throw new StowageError(
    'UNSUPPORTED_FORMAT',
    `Report ${name} of ${where} does not begin as reports do, so that scripts in it might run: a newer Stowage wrote it, or somebody else. Upgrade Stowage; its bytes, as they are: loadBlobs([${JSON.stringify(report.content.key)}]).`,
    { details: { ...details, key: report.content.key } },
  );
}
