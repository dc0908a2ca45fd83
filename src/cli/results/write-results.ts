import { shell } from '../../codec/shell-command.ts';
import { StowageError } from '../../errors.ts';
import type { ListedTask } from '../../format/attempt-files.ts';
import { countOf, formatBytes, formatCount } from '../../options/figures.ts';
import { formatStorePath, type Reaching } from '../../views/paths.ts';
import type { Invocation } from '../invocation.ts';
import type { OpenStore } from '../store.ts';
import type { Sink } from '../ui/output.ts';
import { workOnItems } from '../ui/progress-line.ts';
import { writeCsv } from '../values/csv.ts';
import { ValueJson } from '../values/value-json.ts';
import { MAX_UNNAMED_BYTES, type ResultChoice, ResultReader } from './read-results.ts';
import { ResultTable } from './result-columns.ts';

/** The forms in which the artifacts of a step are written. */
export type ResultForm = 'csv' | 'json';

/** The artifacts of all tasks of a step, to be written. */
export interface StepResults {
  path: Reaching<'flow' | 'run' | 'step'>;
  tasks: readonly ListedTask[];
  choice: ResultChoice;
  form: ResultForm;
}

/** So many tasks that are not in the table are named. */
const MAX_TOLD = 10;
/** The details of an error name so many. */
const MAX_DETAILS = 1_000;

/**
 * Writes the artifacts of all tasks of a step as one table or JSON document. Tasks that are not done, or cannot be read, are not in it:
 * they are told once it was written.
 *
 * @throws StowageError `ATTEMPT_NOT_DONE` and the like, before anything is written, where no task can be; `ARTIFACT_NOT_FOUND` for an
 * artifact that none has; CliError `NO_SUCH_FORM`, `OUTPUT_FAILED`
 */
export async function writeResults(
  invocation: Invocation,
  store: OpenStore,
  results: StepResults,
  sink: Sink,
): Promise<void> {
  const reader = new ResultReader(store, results.choice);
  const rows = await (results.form === 'csv' ? writeTable : writeJson)(invocation, results, reader, sink);
  const left = reader.leftOut.length === 0 ? undefined : leftOutError(results, reader);
  if (rows === 0 && left) throw left;
  const missing = await missingArtifact(results, reader, rows);
  if (missing) throw missing;
  if (left) invocation.failed(left);
  if (reader.large.size > 0) invocation.note(largeText(results, reader.large));
}

async function writeTable(
  invocation: Invocation,
  { path, tasks, choice }: StepResults,
  reader: ResultReader,
  sink: Sink,
): Promise<number> {
  const table = new ResultTable(choice.names, { hasStatus: choice.allowNotDone });
  try {
    for await (const result of reader.read(tasks)) table.add(result);
    const isMissing = choice.names.some((name) => !reader.seen.has(name));
    if (table.rowCount === 0 || isMissing) return table.rowCount;
    const onRow = (rows: number): void =>
      invocation.progress(() => workOnItems(formatStorePath(path), rows, table.rowCount, 'rows'));
    await writeCsv(table.tabular(), sink, { signal: invocation.signal, onRow });
    return table.rowCount;
  } finally {
    table.close();
  }
}

/** A line for each task, written as it was read; with `--json` what is known of them around it. */
async function writeJson(
  { json: isDocument }: Invocation,
  { path, tasks }: StepResults,
  reader: ResultReader,
  sink: Sink,
): Promise<number> {
  const { flow, run, step } = path;
  const head = isDocument ? `${JSON.stringify({ flow, run, step }).slice(0, -1)},"tasks":` : '';
  let rows = 0;
  let isExact = true;
  for await (const { values, ...task } of reader.read(tasks)) {
    await sink.write(rows === 0 ? `${head}[\n` : ',\n');
    await sink.write(`${JSON.stringify(task).slice(0, -1)},"values":{`);
    let separator = '';
    for (const [name, value] of values) {
      await sink.write(`${separator}${JSON.stringify(name)}:`);
      separator = ',';
      const json = new ValueJson({ compact: true });
      for (const piece of json.pieces(value)) await sink.write(piece);
      isExact &&= json.isExact;
    }
    await sink.write('}}');
    rows += 1;
  }
  if (rows === 0) return 0;
  const { leftOut } = reader;
  await sink.write(isDocument ? `\n],"leftOut":${JSON.stringify(leftOut)},"exact":${isExact}}\n` : '\n]\n');
  return rows;
}

/** Tells which tasks are not in the table, and how to see them. */
function leftOutError({ path, tasks, choice }: StepResults, { leftOut }: ResultReader): StowageError {
  const where = formatStorePath(path);
  const statuses = new Set(leftOut.map(({ status }) => status));
  const shown = leftOut.slice(0, MAX_TOLD).map(({ task, status }) => `${task} (${status})`);
  const more = leftOut.length > MAX_TOLD ? ` and ${formatCount(leftOut.length - MAX_TOLD)} more` : '';
  const [count, all] = [formatCount(leftOut.length), countOf(tasks.length, 'task')];
  const which = choice.attempt === 'latestDone' ? 'have no attempt that is done' : 'are not done';
  const text = `${count} of ${all} of ${where} ${leftOut.length === 1 ? which.replace(/^have/, 'has').replace(/^are/, 'is') : which}, and left out: ${shown.join(', ')}${more}.`;
  const see =
    statuses.size === 1 && statuses.has('failed')
      ? shell`stowage ls ${where} --status failed`
      : shell`stowage ls ${where}`;
  return new StowageError('ATTEMPT_NOT_DONE', `${text} See them with: ${see}`, {
    details: { ...path, tasks: tasks.length, count: leftOut.length, leftOut: leftOut.slice(0, MAX_DETAILS) },
  });
}

/** An artifact that was named, and that no task has: its name may be misspelt. */
async function missingArtifact(
  { path, choice }: StepResults,
  { seen }: ResultReader,
  rows: number,
): Promise<StowageError | undefined> {
  const name = choice.names.find((one) => !seen.has(one));
  if (name === undefined || rows === 0) return undefined;
  const { artifactNotFound } = await import('../../views/not-found.ts');
  const where = `No task of ${formatStorePath(path)} that was read`;
  return artifactNotFound(formatStorePath(path), name, [...seen], ` ${where} has any artifact.`);
}

function largeText({ path }: StepResults, large: ReadonlyMap<string, number>): string {
  const names = [...large].map(([name, bytes]) => `${name} (${formatBytes(bytes)})`).join(', ');
  return `${names} left out of ${formatStorePath(path)}: what is larger than ${formatBytes(MAX_UNNAMED_BYTES)} is written where it is named.`;
}
