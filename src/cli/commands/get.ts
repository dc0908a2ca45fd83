import { isStowageError, StowageError } from '../../errors.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import { type AttemptRule, attemptRule } from '../choose-attempt.ts';
import { usageError } from '../cli-error.ts';
import { type ShownFile, saveToFolder } from '../files/artifact-folder.ts';
import { toFile } from '../files/output-file.ts';
import type { Invocation } from '../invocation.ts';
import { artifactNotFound, MAX_EXISTING, missing } from '../not-found.ts';
import { reachTask } from '../reach.ts';
import { type OpenStore, withStore } from '../store.ts';
import { formatStorePath, parseStorePath, type Reaching } from '../store-path.ts';
import { listed } from '../suggestions.ts';
import type { Sink } from '../ui/output.ts';
import { formatBytes } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { TerminalSink } from '../ui/terminal-sink.ts';
import { type Form, ownForm, writeArtifact } from '../values/artifact-writer.ts';
import { ValueJson } from '../values/value-json.ts';

/** Options of `stowage get`. */
export interface GetOptions {
  output?: string;
  dir?: string;
  format?: Form;
  bytes?: boolean;
  force?: boolean;
  attempt?: string;
  allowNotDone?: boolean;
}

/** What is longer floods a terminal, and is asked for twice. */
const MAX_TERMINAL_BYTES = 1_000_000;

const FILE_COLUMNS: readonly Column[] = [
  { header: 'ARTIFACT', shrinks: true },
  { header: 'FILE', shrinks: true },
  { header: 'SIZE', align: 'right', dropOrder: 1 },
];

/** `stowage get <flow>/<run>/<step>/<task>[/<attempt>] [artifact...]` */
export async function get(
  invocation: Invocation,
  text: string,
  artifacts: readonly string[],
  options: GetOptions,
): Promise<void> {
  const path = parseStorePath(text, 1, 5);
  const form = formOf(options);
  checkOptions(invocation, artifacts, options, form);
  await withStore(invocation, async (store) => {
    const task = await openTask(invocation, store, await reachTask(store.storage, path, invocation), options);
    for (const artifact of artifacts) if (!task.has(artifact)) throw noArtifact(task, artifact);
    if (options.dir !== undefined) return getFolder(invocation, task, artifacts, options.dir, options, form);
    const [artifact] = artifacts;
    if (artifact === undefined) throw whichArtifact(task, text);
    const { output: file = '-' } = options;
    if (file !== '-') {
      if (/\.csv$/i.test(file) && (form ?? ownForm(task.info(artifact))) === 'json')
        invocation.note(`${file} holds JSON; for a table: --format csv`);
      const write = (sink: Sink): Promise<void> => writeOne(invocation, task, artifact, form, sink);
      await toFile(file, invocation.signal, write, { followLinks: true });
    } else if (invocation.output.isTerminal) {
      await writeToTerminal(invocation, task, artifact, form, options);
    } else {
      await writeOne(invocation, task, artifact, form, invocation.output);
    }
  });
}

function formOf({ format, bytes }: GetOptions): Form | undefined {
  if (bytes && format !== undefined && format !== 'bytes')
    throw usageError(`--bytes and --format ${format} are two forms; give one of them.`);
  return bytes ? 'bytes' : format;
}

function checkOptions(
  { json }: Invocation,
  artifacts: readonly string[],
  { dir, output, bytes }: GetOptions,
  form: Form | undefined,
): void {
  if (output === '') throw usageError('-o names no file; "-" is the standard output.');
  if (dir === '') throw usageError('-d names no folder; "." is the one you are in.');
  if (dir !== undefined && output !== undefined)
    throw usageError('-o names one file, and -d a folder for many; give one of them.');
  if (dir === undefined && artifacts.length > 1)
    throw usageError('Several artifacts need a folder: -d <folder>');
  if (json && dir === undefined && form !== undefined && form !== 'json')
    throw usageError(`${bytes ? '--bytes' : `--format ${form}`} and --json are two forms; give one of them.`);
}

async function openTask(
  { signal }: Invocation,
  store: OpenStore,
  path: Reaching<'flow' | 'run' | 'step' | 'task'>,
  options: GetOptions,
): Promise<TaskDataStore> {
  const attempt = attemptRule(path, options.attempt);
  const { flow, run, step, task } = path;
  const where = formatStorePath({ flow, run, step, task });
  const { allowNotDone = false } = options;
  try {
    const dataStore = await store.flow(flow);
    return await dataStore.getTaskDataStore(`${run}/${step}/${task}`, { attempt, allowNotDone, signal });
  } catch (error) {
    if (isStowageError(error, 'TASK_NOT_FOUND'))
      throw (await missing(store.storage, path, { signal })) ?? error;
    if (isStowageError(error, 'ATTEMPT_NOT_DONE')) throw notDone(error, where, attempt);
    throw error;
  }
}

/** The library speaks of its own options; here they have other names. */
function notDone({ details, cause }: StowageError, where: string, rule: AttemptRule): StowageError {
  const { status, existing } = details as { status?: string; existing: readonly number[] };
  const state =
    { open: 'is not finished', failed: 'failed', abandoned: 'was given up' }[status ?? ''] ?? 'is not done';
  const which = typeof rule === 'number' ? `Attempt ${rule} of task` : 'Task';
  const subject = status === undefined ? `No attempt of task ${where} is done` : `${which} ${where} ${state}`;
  const older =
    rule === undefined && existing.length > 1 ? ' For an older result: --attempt latest-done.' : '';
  const all = status === 'failed' ? ' To read it all the same: --allow-not-done.' : '';
  return new StowageError(
    'ATTEMPT_NOT_DONE',
    `${subject}.${older}${all} See it with: stowage show ${where}`,
    {
      details,
      cause,
    },
  );
}

function noArtifact(task: TaskDataStore, name: string): Error {
  try {
    task.info(name); // knows what was erased, and why
  } catch (error) {
    if (!isStowageError(error, 'ARTIFACT_NOT_FOUND')) return error as Error;
  }
  const why = task.isDone ? ' It has none at all.' : ` It is ${task.status}, and has none.`;
  return artifactNotFound(`${task.flowName}/${task.pathspec}`, name, task.names(), why);
}

function whichArtifact(task: TaskDataStore, path: string): Error {
  const names = task.names();
  const where = `${task.flowName}/${task.pathspec}`;
  if (names.length === 0)
    return new StowageError('ARTIFACT_NOT_FOUND', hasNone(task), { details: { path: where } });
  return usageError(
    `${where} has ${listed(names)}. Name the one to write, or write all of them to a folder: stowage get ${path} -d <folder>`,
    { path: where, missing: 'artifact', existing: names.slice(0, MAX_EXISTING) },
  );
}

function hasNone({ flowName, pathspec }: TaskDataStore): string {
  return `${flowName}/${pathspec} has no artifacts.`;
}

async function getFolder(
  invocation: Invocation,
  task: TaskDataStore,
  artifacts: readonly string[],
  folder: string,
  { force = false }: GetOptions,
  form: Form | undefined,
): Promise<void> {
  const { output, signal } = invocation;
  const names = artifacts.length > 0 ? artifacts : task.names();
  const { files, failures } = await saveToFolder({ task, signal }, names, { folder, form, overwrite: force });
  const [failure] = failures;
  if (failure && failures.length === files.length) throw failure;
  for (const error of failures) invocation.failed(error);
  if (invocation.json) return output.json({ ...headOf(task), folder, files });
  if (files.length === 0) return invocation.note(hasNone(task));
  await output.table(FILE_COLUMNS, files.map(fileRow));
}

function fileRow({ artifact, file, bytes, failure }: ShownFile): Cell[] {
  return [
    { text: artifact, style: 'cyan' },
    failure ? { text: 'not written', style: 'red' } : (file ?? ''),
    bytes === undefined ? '' : formatBytes(bytes),
  ];
}

async function writeOne(
  invocation: Invocation,
  task: TaskDataStore,
  name: string,
  form: Form | undefined,
  sink: Sink,
): Promise<void> {
  if (invocation.json) return writeDocument(invocation, task, name, sink);
  const { signal } = invocation;
  await writeArtifact({ task, signal }, name, form ?? ownForm(task.info(name)), sink);
}

async function writeToTerminal(
  invocation: Invocation,
  task: TaskDataStore,
  name: string,
  form: Form | undefined,
  { force }: GetOptions,
): Promise<void> {
  const info = task.info(name);
  const isText = invocation.json || (form ?? ownForm(info)) !== 'bytes' || info.type === 'string';
  if (!isText) throw binaryToTerminal(task, name);
  if (info.bytes > MAX_TERMINAL_BYTES && !force) throw floodOfTerminal(task, name);
  const sink = new TerminalSink(invocation.output);
  await writeOne(invocation, task, name, form, sink);
  await sink.end();
}

/** `--json`: what is known of the artifact, and its value. */
async function writeDocument(
  invocation: Invocation,
  task: TaskDataStore,
  name: string,
  sink: Sink,
): Promise<void> {
  const head = { ...headOf(task), artifact: task.info(name) };
  const value = await task.get(name, { signal: invocation.signal });
  await sink.write(`${JSON.stringify(head, null, 2).slice(0, -2)},\n  "value": `);
  const json = new ValueJson();
  for (const piece of json.pieces(value, 1)) await sink.write(piece);
  await sink.write(`,\n  "exact": ${json.isExact}\n}\n`);
}

function headOf({
  flowName: flow,
  runId: run,
  stepName: step,
  taskId: task,
  attempt,
  status,
}: TaskDataStore): {
  flow: string;
  run: string;
  step: string;
  task: string;
  attempt: number;
  status: string;
} {
  return { flow, run, step, task, attempt, status };
}

function binaryToTerminal(task: TaskDataStore, name: string): Error {
  const { type, bytes } = task.info(name);
  return usageError(
    `${name} is ${formatBytes(bytes)} of bytes (${type}), which a terminal cannot show. Save it with -o <file>, pipe it on, as in | xxd | head, or, if it is text, give --format text.`,
    { artifact: name, type, bytes },
  );
}

function floodOfTerminal(task: TaskDataStore, name: string): Error {
  const { type, bytes } = task.info(name);
  return usageError(
    `${name} is ${formatBytes(bytes)} (${type}), more than one reads in a terminal. Save it with -o <file>, look at its beginning with | head, or print all of it with --force.`,
    { artifact: name, type, bytes },
  );
}
