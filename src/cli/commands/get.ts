import { shell } from '../../codec/shell-command.ts';
import { StowageError } from '../../errors.ts';
import type { ArtifactInfo } from '../../flow/artifact-info.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import { formatBytes } from '../../options/figures.ts';
import type { FileRef } from '../../references/file-ref.ts';
import { formatStorePath, type Reaching, type StorePath } from '../../views/paths.ts';
import { CliError, usageError } from '../cli-error.ts';
import { ATTEMPT_OPTION, type CommandDeclaration } from '../declaration.ts';
import type { ShownFile } from '../files/artifact-folder.ts';
import type { Invocation } from '../invocation.ts';
import { noArtifact, openTask } from '../open-task.ts';
import type { ResultForm } from '../results/write-results.ts';
import { type OpenStore, withStore } from '../store.ts';
import { attemptRule, parseStorePath, pathArgument, splitArtifact } from '../store-path.ts';
import { nameCell } from '../ui/cells.ts';
import type { Sink } from '../ui/output.ts';
import type { Cell, Column } from '../ui/table.ts';
import type { Form } from '../values/artifact-writer.ts';

interface GetOptions {
  output?: string;
  dir?: string;
  format?: Form;
  bytes?: boolean;
  force?: boolean;
  attempt?: string;
  allowNotDone?: boolean;
}

/** Longer output floods a terminal, and is asked for twice. */
const MAX_TERMINAL_BYTES = 1_000_000;

const FILE_COLUMNS: readonly Column[] = [
  { header: 'ARTIFACT', shrinks: true },
  { header: 'FILE', shrinks: true },
  { header: 'SIZE', align: 'right', dropOrder: 1 },
];

/** `stowage get <flow>/<run>/<step>[/<task>[/<attempt>]] [artifact...]` */
export const get: CommandDeclaration = {
  name: 'get',
  text: 'write artifacts: values as JSON, strings as text, bytes and files as they are; of a step as one table',
  arguments: [
    pathArgument('<path>', 3, 5),
    {
      form: '[artifact...]',
      text: 'names of artifacts; of a step, and with -d, all if none is named',
      completion: 'artifact',
    },
  ],
  options: [
    {
      flags: '-o, --output <file>',
      text: 'write to this file, whole or not at all; "-" for stdout; of a directory, to this folder',
      completion: 'file',
    },
    {
      flags: '-d, --dir <folder>',
      text: 'write to a folder, a file for each artifact',
      completion: 'folder',
    },
    {
      flags: '--format <form>',
      text: 'the form to write; of all tasks of a step: csv or json',
      choices: ['json', 'csv', 'text', 'bytes'] satisfies Form[],
    },
    { flags: '--bytes', text: 'the serialized bytes as they are: --format bytes' },
    { flags: '--force', text: 'replace files that exist; print any length to a terminal' },
    ATTEMPT_OPTION,
    { flags: '--allow-not-done', text: 'read an attempt though it failed' },
  ],
  async run(invocation: Invocation, [given, names]: [string, string[]], options: GetOptions) {
    const { path: text, artifact: last } = splitArtifact(given);
    const artifacts = last === undefined ? names : [last, ...names];
    const path = parseStorePath(text, 1, 5);
    const form = formOf(options);
    const isStep = path.step !== undefined && path.task === undefined && form !== undefined;
    checkOptions(invocation, artifacts, options, form, isStep);
    await withStore(invocation, async (store) => {
      if (isStep) return getStep(invocation, store, path as Reaching<'step'>, artifacts, options);
      const { reachTask } = await import('../reach.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      const task = await withMeantRun(invocation, store, path, async (meant) =>
        openTask(store, await reachTask(store, meant).catch(withTable), options),
      );
      for (const artifact of artifacts) if (!task.has(artifact)) throw await noArtifact(task, artifact);
      if (options.dir !== undefined)
        return getFolder(invocation, task, artifacts, options.dir, options, form);
      const [artifact] = artifacts;
      if (artifact === undefined) throw await whichArtifact(task, text);
      await getOne(invocation, task, artifact, form, options);
    });
  },
};

/** Adds to the error of a path that ends at a step how the artifacts of all its tasks are written. */
function withTable(error: unknown): never {
  const isStep = error instanceof CliError && error.details.missing === 'task';
  if (!isStep) throw error;
  const { flow, run, step } = error.details as StorePath;
  const where = formatStorePath({ flow, run, step } as StorePath);
  throw usageError(
    `${error.message.replace(/\.$/, '')}; all of them as a table: ${shell`stowage get ${where} --format csv`}`,
    error.details,
  );
}

/** Writes the artifacts of all tasks of a step, as one table or one document. */
async function getStep(
  invocation: Invocation,
  store: OpenStore,
  given: Reaching<'step'>,
  names: readonly string[],
  options: GetOptions,
): Promise<void> {
  const { output: file = '-', force = false, allowNotDone = false } = options;
  const form = options.format as ResultForm;
  const attempt = attemptRule(given, options.attempt) === undefined ? undefined : 'latestDone';
  const { withMeantRun } = await import('../meant-run.ts');
  const { tasksAt } = await import('../../views/listing.ts');
  const { writeResults } = await import('../results/write-results.ts');
  const results = await withMeantRun(invocation, store, given, async (meant) => {
    const path = meant as Reaching<'flow' | 'run' | 'step'>;
    const choice = { names: [...new Set(names)], attempt, allowNotDone } as const;
    return { path, tasks: await tasksAt(store, path), choice, form };
  });
  const write = (sink: Sink): Promise<void> => writeResults(invocation, store, results, sink);
  if (file !== '-') return toNewFile(invocation, file, force, write);
  if (!invocation.output.isTerminal) return write(invocation.output);
  const { TerminalSink } = await import('../ui/terminal-filter.ts');
  const sink = new TerminalSink(invocation.output, { isJson: form === 'json' });
  await write(sink);
  await sink.end();
}

/** A file that exists is the user's: it is replaced where that was asked for. */
async function toNewFile(
  { signal }: Invocation,
  file: string,
  force: boolean,
  write: (sink: Sink) => Promise<void>,
): Promise<void> {
  const { toFile } = await import('../files/output-file.ts');
  await toFile(file, signal, write, { overwrite: force, followLinks: true });
}

async function getOne(
  invocation: Invocation,
  task: TaskDataStore,
  artifact: string,
  form: Form | undefined,
  { output: file = '-', force = false }: GetOptions,
): Promise<void> {
  if (form === undefined && !invocation.json && (await getDirectory(invocation, task, artifact, file, force)))
    return;
  if (file === '-') {
    if (!invocation.output.isTerminal) return writeOne(invocation, task, artifact, form, invocation.output);
    return writeToTerminal(invocation, task, artifact, form, force);
  }
  const { ownForm } = await import('../values/artifact-writer.ts');
  if (/\.csv$/i.test(file) && (form ?? ownForm(task.info(artifact))) === 'json')
    invocation.note(`${file} holds JSON; for a table: --format csv`);
  const write = (sink: Sink): Promise<void> => writeOne(invocation, task, artifact, form, sink);
  await toNewFile(invocation, file, force, write);
}

/** Writes a directory to a folder. Resolves to `false` for any other artifact. */
async function getDirectory(
  invocation: Invocation,
  task: TaskDataStore,
  artifact: string,
  folder: string,
  force: boolean,
): Promise<boolean> {
  const { ownForm } = await import('../values/artifact-writer.ts');
  if (ownForm(task.info(artifact)) !== 'file') return false;
  const { directoryIn, needsFolder, writeDirectory } = await import('../values/referenced-file.ts');
  const directory = await directoryIn(task, artifact, invocation);
  if (!directory) return false;
  if (folder === '-') throw needsFolder(artifact, directory);
  await writeDirectory(directory, folder, force, invocation);
  return true;
}

function formOf({ format, bytes }: GetOptions): Form | undefined {
  if (bytes && format !== undefined && format !== 'bytes')
    throw usageError(`--bytes and --format ${format} are two forms; give one of them.`);
  return bytes ? 'bytes' : format;
}

function checkOptions(
  { json }: Invocation,
  artifacts: readonly string[],
  { dir, output, bytes, attempt }: GetOptions,
  form: Form | undefined,
  isStep: boolean,
): void {
  if (output === '') throw usageError('-o names no file; "-" is the standard output.');
  if (dir === '') throw usageError('-d names no folder; "." is the one you are in.');
  if (dir !== undefined && output !== undefined)
    throw usageError('-o names one file, and -d a folder for many; give one of them.');
  if (isStep) {
    if (dir !== undefined || (form !== 'csv' && form !== 'json'))
      throw usageError(
        'The artifacts of all tasks of a step are one table: --format csv or --format json, to stdout or to a file (-o).',
      );
    if (attempt !== undefined && attemptRule({}, attempt) !== 'latestDone')
      throw usageError('--attempt <number> is for one task; for a step, only --attempt latest-done.');
  }
  if (dir === undefined && artifacts.length > 1 && !isStep)
    throw usageError('Several artifacts need a folder: -d <folder>');
  if (json && dir === undefined && form !== undefined && form !== 'json')
    throw usageError(`${bytes ? '--bytes' : `--format ${form}`} and --json are two forms; give one of them.`);
}

async function whichArtifact(task: TaskDataStore, path: string): Promise<Error> {
  const { MAX_EXISTING } = await import('../../views/not-found.ts');
  const { listed } = await import('../../options/suggestions.ts');
  const names = task.names();
  const where = `${task.flowName}/${task.pathspec}`;
  if (names.length === 0)
    return new StowageError('ARTIFACT_NOT_FOUND', hasNone(task), { details: { path: where } });
  return usageError(
    `${where} has ${listed(names)}. Name the one to write, or write all of them to a folder: ${shell`stowage get -d <folder> ${path}`}`,
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
  const { output } = invocation;
  const names = artifacts.length > 0 ? artifacts : task.names();
  const { saveToFolder } = await import('../files/artifact-folder.ts');
  const { files, failures } = await saveToFolder({ task, invocation }, names, {
    folder,
    form,
    overwrite: force,
  });
  const [failure] = failures;
  if (failure && failures.length === files.length) throw failure;
  for (const error of failures) invocation.failed(error);
  if (invocation.json) return output.json({ ...headOf(task), folder, files });
  if (files.length === 0) return invocation.note(hasNone(task));
  await output.table(FILE_COLUMNS, files.map(fileRow));
}

function fileRow({ artifact, file, bytes, failure }: ShownFile): Cell[] {
  return [
    nameCell(artifact),
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
  const { ownForm, writeArtifact } = await import('../values/artifact-writer.ts');
  await writeArtifact({ task, invocation }, name, form ?? ownForm(task.info(name)), sink);
}

async function writeToTerminal(
  invocation: Invocation,
  task: TaskDataStore,
  name: string,
  form: Form | undefined,
  force: boolean,
): Promise<void> {
  const { ownForm } = await import('../values/artifact-writer.ts');
  const { TerminalSink } = await import('../ui/terminal-filter.ts');
  const info = task.info(name);
  const shownForm = invocation.json ? 'json' : (form ?? ownForm(info));
  const isOfFile = ownForm(info) === 'file' && (shownForm === 'file' || shownForm === 'text');
  const file = isOfFile ? await fileIn(invocation, task, name) : undefined;
  const shown = { name, type: info.type, bytes: file?.size ?? info.bytes };
  const isText = shownForm === 'bytes' ? info.type === 'string' : shownForm !== 'file' || !file;
  if (!isText) throw binaryToTerminal(shown);
  if (shown.bytes > MAX_TERMINAL_BYTES && !force) throw floodOfTerminal(shown);
  const sink = new TerminalSink(invocation.output, { isJson: shownForm === 'json' });
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
  const { ValueJson } = await import('../values/value-json.ts');
  const json = new ValueJson();
  for (const piece of json.pieces(value, 1)) await sink.write(piece);
  await sink.write(`,\n  "exact": ${json.isExact}\n}\n`);
}

function headOf({ flowName, runId, stepName, taskId, attempt, status }: TaskDataStore): object {
  return { flow: flowName, run: runId, step: stepName, task: taskId, attempt, status };
}

async function fileIn(
  { signal }: Invocation,
  task: TaskDataStore,
  name: string,
): Promise<FileRef | undefined> {
  const { fileOf } = await import('../values/referenced-file.ts');
  return fileOf(name, await task.get(name, { signal }));
}

/** An artifact as a terminal would show it; of a file that it refers to, the bytes of that. */
type Shown = Pick<ArtifactInfo, 'name' | 'type' | 'bytes'>;

function binaryToTerminal({ name, type, bytes }: Shown): Error {
  return usageError(
    `${name} is ${formatBytes(bytes)} of bytes (${type}), which a terminal cannot show. Save it with -o <file>, pipe it on, as in | xxd | head, or, if it is text, give --format text.`,
    { artifact: name, type, bytes },
  );
}

function floodOfTerminal({ name, type, bytes }: Shown): Error {
  return usageError(
    `${name} is ${formatBytes(bytes)} (${type}), more than one reads in a terminal. Save it with -o <file>, look at its beginning with | head, or print all of it with --force.`,
    { artifact: name, type, bytes },
  );
}
