import type { LogName } from '../../format/log-names.ts';
import type { RecordedError } from '../../format/session-files.ts';
import { countOf, formatBytes, formatCount } from '../../options/figures.ts';
import { listed } from '../../options/suggestions.ts';
import { typeText } from '../../parquet/type-text.ts';
import { errorLine } from '../../views/artifact-texts.ts';
import type { AttemptSummary } from '../../views/attempts.ts';
import type { FrameView } from '../../views/data-frames.ts';
import type { PartialRecordsView } from '../../views/partial-records.ts';
import type { ReportView } from '../../views/reports.ts';
import { ARTIFACT_COLUMNS, ageCell, artifactRow } from '../ui/cells.ts';
import type { Output } from '../ui/output.ts';
import type { Column } from '../ui/table.ts';

const LOG_COLUMNS: readonly Column[] = [
  { header: 'LOG' },
  { header: 'STREAM' },
  { header: 'SIZE', align: 'right' },
];

const REPORT_COLUMNS: readonly Column[] = [
  { header: 'REPORT' },
  { header: 'TITLE', shrinks: true },
  { header: 'SIZE', align: 'right' },
];
const TRACE_COLUMNS: readonly Column[] = [
  { header: 'TRACE' },
  { header: 'CALLS', align: 'right' },
  { header: 'ERRORS', align: 'right', dropOrder: 2 },
  { header: 'PARTIAL', align: 'right', dropOrder: 1 },
  { header: 'SIZE', align: 'right' },
];
const CHECKPOINT_COLUMNS: readonly Column[] = [
  { header: 'CHECKPOINT' },
  { header: 'SAVED' },
  { header: 'TYPE', dropOrder: 1 },
  { header: 'SIZE', align: 'right' },
];

/** The parts of an attempt's report. */
export interface AttemptReport {
  attempt: AttemptSummary;
  frames: readonly FrameView[];
  logs: readonly (LogName & { bytes: number })[];
  reports: readonly ReportView[];
  records: PartialRecordsView;
  /** Titles tell which attempt it is. */
  isOneOfSeveral: boolean;
  /** Errors have their stacks. */
  withStacks: boolean;
}

/** Prints all that is known of an attempt. */
export async function printAttempt(output: Output, report: AttemptReport): Promise<void> {
  const { frames, logs, reports, records, isOneOfSeveral, withStacks } = report;
  const { attempt, error, erased, metadata = {}, readFrom = [], artifacts } = report.attempt;
  const section = (title: string): Promise<void> =>
    output.section(isOneOfSeveral ? `${title} of attempt ${attempt}` : title);
  if (error) {
    await section('Error');
    for (const line of errorLines(error, withStacks)) await output.text(line, 'red');
    if (!withStacks && hasStack(error)) await output.line(output.paint('dim', 'with stacks: --stack'));
  }
  if (erased) {
    await section('Erased');
    const { artifacts: names, reason } = erased;
    await output.text(names.length === 0 ? reason : `${names.join(', ')}: ${reason}`);
  }
  const values = Object.entries(metadata).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  if (values.length > 0) await section('Metadata');
  for (const value of values) await output.text(value);
  if (readFrom.length > 0) await section('Read from');
  for (const path of readFrom) await output.text(path);
  if (artifacts.length > 0) {
    await section('Artifacts');
    await output.table(ARTIFACT_COLUMNS, artifacts.map(artifactRow));
  }
  if (frames.length > 0) await section('Data frames');
  for (const frame of frames) await output.text(frameLine(frame));
  if (reports.length > 0) {
    await section('Reports');
    await output.table(
      REPORT_COLUMNS,
      reports.map(({ name, title, bytes }) => [name, title, formatBytes(bytes)]),
    );
  }
  if (logs.length > 0) {
    await section('Logs');
    await output.table(
      LOG_COLUMNS,
      logs.map(({ source, stream, bytes }) => [source, stream, formatBytes(bytes)]),
    );
  }
  const { traces, checkpoints, unread } = records;
  if (traces.length > 0) {
    await section('Traces');
    await output.table(
      TRACE_COLUMNS,
      traces.map(({ trace, calls, errors, partial, bytes }) => [
        trace,
        ...[calls, errors, partial].map(formatCount),
        formatBytes(bytes),
      ]),
    );
  }
  if (checkpoints.length > 0) {
    await section('Checkpoints');
    await output.table(
      CHECKPOINT_COLUMNS,
      checkpoints.map(({ checkpoint, savedAt, type, bytes }) => [
        String(checkpoint),
        ageCell(savedAt),
        type,
        formatBytes(bytes),
      ]),
    );
  }
  if (unread > 0)
    await output.line(output.paint('dim', `${countOf(unread, 'record')} more of traces and checkpoints`));
}

/** `scores: 10,000 rows of id int64, auc float64` */
function frameLine({ artifact, uri, rows = 0, columns = [], failure }: FrameView): string {
  if (uri !== undefined) return `${artifact}: at ${uri}, which is not read here`;
  if (failure) return `${artifact}: ${failure.message}`;
  const shown = columns.map((column) => `${column.name} ${typeText(column)}`);
  return `${artifact}: ${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'} of ${listed(shown)}`;
}

/** An error with its causes and members: the lines of its message whole, those of its stack if they are wanted. */
function errorLines(error: RecordedError, withStacks: boolean): string[] {
  const lines = errorLine(error).split('\n');
  if (withStacks) lines.push(...stackLines(error));
  if (error.recoverable !== undefined) lines.push(`recoverable: ${error.recoverable ? 'yes' : 'no'}`);
  const within = (how: string, inner: RecordedError): void => {
    const [first, ...rest] = errorLines(inner, withStacks);
    lines.push(`${how} ${first}`, ...rest);
  };
  for (const member of error.errors ?? []) within('of which', member);
  if (error.cause) within('caused by', error.cause);
  return lines;
}

/** The stack without the message that it repeats. */
function stackLines(error: RecordedError): string[] {
  const { stack = '' } = error;
  const head = errorLine(error);
  const rest = stack.startsWith(head) ? stack.slice(head.length) : stack;
  return rest.split('\n').filter((line) => line.trim() !== '');
}

function hasStack(error: RecordedError): boolean {
  const inner = [...(error.errors ?? []), ...(error.cause ? [error.cause] : [])];
  return stackLines(error).length > 0 || inner.some(hasStack);
}
