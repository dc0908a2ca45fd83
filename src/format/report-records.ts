import { StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { isLogName } from '../storage/names.ts';
import { attemptSubject, partialBase } from './attempt-files.ts';
import type { TaskPath } from './pathspec.ts';
import { encodeRecord } from './record.ts';
import { readObject, readObjects, readOptional, readRecord, readString } from './record-fields.ts';
import { padSequence, type SessionId } from './session-id.ts';
import { readStoredContent, type StoredContent } from './stored-content.ts';

/** A report of an attempt, as its description, or a record of one of its versions, names it. */
export interface ReportEntry {
  /** As the sources of logs are named. */
  name: string;
  /** What people call it. */
  title: string;
  /** The plain object that holds it. */
  content: StoredContent;
}

/** A version of a report, written while its attempt was open. */
export interface ReportVersion {
  session: SessionId;
  report: ReportEntry;
}

const VERSION = /^([\w-]{1,32})\.(\d{8})\.json$/;
/** The most bytes of the record of a version. */
export const MAX_REPORT_RECORD_BYTES: number = 64 * 1024;
const nameRegExp =
  /^partial\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)\/(0|[1-9]\d{0,15})\.report\.([\w-]{1,32})\.(\d{8})\.json$/;

/** The report of an attempt, and which of its versions. */
export interface ReportVersionName {
  path: TaskPath;
  attempt: number;
  report: string;
  version: number;
}

/** Takes the name of such a record apart; `undefined` of any other. */
export function parseReportVersionName(name: string): ReportVersionName | undefined {
  const [, flow, run, step, task, number, report, version] = nameRegExp.exec(name) ?? [];
  if (report === undefined || !Number.isSafeInteger(Number(number))) return undefined;
  const path = { flow, run, step, task } as Record<keyof TaskPath, string>;
  return { path, attempt: Number(number), report, version: Number(version) };
}

/** The name of the record of a report's `version`-th version, from 0. */
export function reportVersionName(path: TaskPath, attempt: number, report: string, version: number): string {
  return `${reportPrefix(path, attempt)}${report}.${padSequence(version)}.json`;
}

export function encodeReportVersion(
  path: TaskPath,
  attempt: number,
  version: number,
  { session, report }: ReportVersion,
): Uint8Array {
  const subject = { ...attemptSubject(path, attempt), name: report.name, version };
  return encodeRecord({ format: 1, kind: 'report', session, ...subject, report: reportFields(report) });
}

/**
 * The latest version of each report of an attempt, in the order of their names: one LIST, and a GET each.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export async function readReportVersions(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  { signal }: CallOptions,
): Promise<ReportVersion[]> {
  const prefix = reportPrefix(path, attempt);
  const latest = new Map<string, { object: string; version: number }>();
  for await (const page of storage.list({ prefix, signal })) {
    for (const { name: object } of page.objects) {
      const [, name, version] = VERSION.exec(object.slice(prefix.length)) ?? [];
      if (name !== undefined) latest.set(name, { object, version: Number(version) });
    }
  }
  const versions: ReportVersion[] = [];
  for (const [name, { object, version }] of latest) {
    const found = await storage.get(object, { signal, maxBytes: MAX_REPORT_RECORD_BYTES });
    if (!found) continue; // removed since it was listed
    versions.push(decodeReportVersion(found.body, storage.uri(object), path, attempt, name, version));
  }
  return versions;
}

/** Reads the record of a version of the report `name`; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeReportVersion(
  bytes: Uint8Array,
  what: string,
  path: TaskPath,
  attempt: number,
  name: string,
  version: number,
): ReportVersion {
  const record = readRecord(bytes, what, 'report', { ...attemptSubject(path, attempt), name, version });
  const report = readReport(readObject(record, 'report', what), what);
  if (report.name !== name) throw noReport(what);
  return { session: readString(record, 'session', what), report };
}

/** The member `reports` of a description; absent where there is none. */
export function reportsFields(reports: readonly ReportEntry[]): object[] | undefined {
  return reports.length === 0 ? undefined : reports.map(reportFields);
}

/** Reads the member `reports` of a description; throws `RECORD_DAMAGED`, naming `what`. */
export function readReports(record: Record<string, unknown>, what: string): ReportEntry[] {
  return (readOptional(readObjects, record, 'reports', what) ?? []).map((fields) => readReport(fields, what));
}

function reportFields({ name, title, content }: ReportEntry): object {
  const { key, copy, bytes, storedBytes, root, place } = content;
  return { name, title, key, copy, bytes, storedBytes, root, place };
}

function readReport(fields: Record<string, unknown>, what: string): ReportEntry {
  const name = readString(fields, 'name', what);
  // Files are named by it.
  if (!isLogName(name)) throw noReport(what);
  return { name, title: readString(fields, 'title', what), content: readStoredContent(fields, what) };
}

function reportPrefix(path: TaskPath, attempt: number): string {
  return `${partialBase(path, attempt)}.report.`;
}

function noReport(what: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} names a report as nobody can name one; restore it from a copy of the store.`,
    { details: { what } },
  );
}
