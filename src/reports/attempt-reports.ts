import { channel } from 'node:diagnostics_channel';
import { clearTimeout, setTimeout } from 'node:timers';
import { clockMs } from '../async/clock.ts';
import { orAborted } from '../async/next-or-aborted.ts';
import { digestHex } from '../digest/blake3.ts';
import { invalidArgument } from '../errors.ts';
import { createOwn } from '../format/create-own.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { encodeReportVersion, type ReportEntry, reportVersionName } from '../format/report-records.ts';
import type { SessionId } from '../format/session-id.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { validateLogName } from '../storage/names.ts';
import { checkTitle, Report, type ReportOptions } from './report.ts';

/** A message of the channel `stowage:report-failed`: a report could not be written while its task ran, or at the end of one that failed. */
export interface ReportFailure {
  pathspec: string;
  error: unknown;
}

const reportFailed = channel('stowage:report-failed');

/** The least time between two versions of a report. */
export const RENEW_MS = 5_000;
/** A version is not written sooner than after this part of the time that the report has been there: a day has 160 versions. */
const RENEW_PART = 0.05;
/** All versions that reports of an attempt have while it runs take so many bytes; then only the last ones are written. */
const MAX_RENEWED_BYTES = 256 * 1024 * 1024;
/** The most reports of an attempt. */
const MAX_REPORTS = 100;

/** The attempt that reports belong to, as it is by now: a fence makes it the next one. */
export interface ReportingAttempt {
  readonly path: TaskPath;
  readonly number: number;
  readonly pathspec: string;
  readonly session: Session;
}

/** Where reports are written, and how often. */
export interface ReportSettings {
  storage: DataStoreStorage;
  /** The address of the place for their content. Default: the store itself. */
  rawDataPath: string | undefined;
  /** Default {@link RENEW_MS}. */
  renewMs: number | undefined;
}

/** A report, and what was written of it. */
interface KeptReport {
  report: Report;
  openedAtMs: number;
  /** It is not written again before. */
  notBeforeMs: number;
  hasChanged: boolean;
  timer: NodeJS.Timeout | undefined;
  /** The version that is being written; never fails. */
  writing: Promise<void> | undefined;
  versions: number;
  written: { session: SessionId; entry: ReportEntry } | undefined;
}

/**
 * The reports of an open attempt. Each is written while the attempt runs, where something was added, and named by a record of its own; at the
 * end once more, which its description names. What is equal to the version before is not written.
 */
export class AttemptReports {
  readonly #attempt: ReportingAttempt;
  readonly #storage: DataStoreStorage;
  readonly #rawDataPath: string | undefined;
  readonly #renewMs: number;
  readonly #kept = new Map<string, KeptReport>();
  #renewedBytes = 0;
  #isStopped = false;

  constructor(attempt: ReportingAttempt, { storage, rawDataPath, renewMs = RENEW_MS }: ReportSettings) {
    this.#attempt = attempt;
    this.#storage = storage;
    this.#rawDataPath = rawDataPath;
    this.#renewMs = renewMs;
  }

  /**
   * The report of a name: a new one, or the one that was opened by it before.
   *
   * @param ensureOpen - throws where nothing can be added any more
   * @throws StowageError `INVALID_NAME`, `INVALID_ARGUMENT`
   */
  open(name: string, options: ReportOptions, ensureOpen: () => void): Report {
    const known = this.#kept.get(name);
    const title = checkReport(name, options);
    if (known) {
      if (options.title === undefined || title === known.report.title) return known.report;
      throw invalidArgument(
        `Report ${name} has the title ${JSON.stringify(known.report.title)} already; name another report for another title.`,
        { report: name },
      );
    }
    if (this.#kept.size >= MAX_REPORTS) {
      throw invalidArgument(
        `An attempt has at most ${MAX_REPORTS} reports; a report has as many sections as you like.`,
        { report: name },
      );
    }
    const nowMs = clockMs();
    const report = new Report(name, title, { ensureOpen, changed: () => this.#changed(kept) });
    const kept: KeptReport = {
      report,
      openedAtMs: nowMs,
      notBeforeMs: nowMs + this.#renewMs,
      hasChanged: false,
      timer: undefined,
      writing: undefined,
      versions: 0,
      written: undefined,
    };
    this.#kept.set(name, kept);
    return report;
  }

  /** True as long as no report was asked for. */
  get isEmpty(): boolean {
    return this.#kept.size === 0;
  }

  /** Writes nothing more while the attempt runs. */
  stop(): void {
    this.#isStopped = true;
    for (const kept of this.#kept.values()) clearTimeout(kept.timer);
  }

  /** Writes the last version of each report under `session`, which is to keep them. Can be done again. */
  async finish(session: Session, options: CallOptions): Promise<void> {
    this.stop();
    for (const kept of this.#kept.values()) {
      const { writing } = kept;
      if (writing) await orAborted(() => writing, options.signal);
      if (!kept.report.isEmpty || kept.written) await this.#write(kept, session, options);
    }
  }

  /** The reports that `session` has written, as the description names them. */
  entries(session: Session): ReportEntry[] {
    return [...this.#kept.values()].flatMap(({ written }) =>
      written?.session === session.id ? [written.entry] : [],
    );
  }

  /** Tells of a report that could not be written, where that fails nothing. */
  tellFailed(error: unknown): void {
    const failure: ReportFailure = { pathspec: this.#attempt.pathspec, error };
    reportFailed.publish(failure);
  }

  #changed(kept: KeptReport): void {
    kept.hasChanged = true;
    if (kept.timer === undefined && kept.writing === undefined) this.#schedule(kept);
  }

  #schedule(kept: KeptReport): void {
    if (this.#isStopped || this.#renewedBytes > MAX_RENEWED_BYTES) return;
    const waitMs = Math.max(0, kept.notBeforeMs - clockMs());
    kept.timer = setTimeout(() => {
      kept.timer = undefined;
      kept.writing = this.#renew(kept);
    }, waitMs);
    kept.timer.unref();
  }

  async #renew(kept: KeptReport): Promise<void> {
    kept.hasChanged = false;
    try {
      const { path, number, session } = this.#attempt;
      const report = await this.#write(kept, session, {});
      if (report) {
        const version = kept.versions++;
        const name = reportVersionName(path, number, report.name, version);
        const record = encodeReportVersion(path, number, version, { session: session.id, report });
        await createOwn(this.#storage, name, record, { durability: 'deferred' });
      }
    } catch (error) {
      kept.hasChanged = true;
      this.tellFailed(error);
    }
    const nowMs = clockMs();
    kept.notBeforeMs = nowMs + Math.max(this.#renewMs, (nowMs - kept.openedAtMs) * RENEW_PART);
    kept.writing = undefined;
    if (kept.hasChanged) this.#schedule(kept);
  }

  /** Resolves to what was written; `undefined` where the session has written the same before. */
  async #write(kept: KeptReport, session: Session, options: CallOptions): Promise<ReportEntry | undefined> {
    const { name, title } = kept.report;
    const bytes = kept.report.render();
    const { written } = kept;
    if (written?.session === session.id && written.entry.content.key === digestHex(bytes)) return undefined;
    this.#renewedBytes += bytes.length;
    const place = await session.locate(this.#rawDataPath, options);
    const { plain: _, ...content } = await session.putPlain(`${name}.html`, bytes, { ...options, place });
    kept.written = { session: session.id, entry: { name, title, content } };
    return kept.written.entry;
  }
}

/** Resolves to the title of a report. @throws StowageError `INVALID_NAME`, `INVALID_ARGUMENT` */
export function checkReport(name: string, options: ReportOptions): string {
  validateLogName(name, 'report name');
  return checkTitle(options, name);
}
