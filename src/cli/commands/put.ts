import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Progress } from '../../async/progress.ts';
import type { Metadata } from '../../attempts/metadata-parts.ts';
import { printable } from '../../codec/printable-text.ts';
import type { LeftBehind } from '../../content/writing/unnamed-objects.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import type { OpenTaskDataStore } from '../../flow/open-task-data-store.ts';
import type { FlowDataStore } from '../../flow-data-store.ts';
import { countOf, formatBytes } from '../../options/figures.ts';
import { storedText } from '../../views/artifact-texts.ts';
import { formatStorePath, type TaskOrAttemptPath } from '../../views/paths.ts';
import type { SavedArtifact } from '../../views/saved-artifacts.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { InputForm } from '../files/input-file.ts';
import type { Invocation } from '../invocation.ts';
import type { InputArgument } from '../put-arguments.ts';
import { type OpenStore, withStore, withStoreToWrite } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { nameCell } from '../ui/cells.ts';
import { workOnBytes } from '../ui/progress-line.ts';
import type { Cell, Column } from '../ui/table.ts';

interface PutOptions {
  as: InputForm;
  metadata?: readonly string[];
  tag?: readonly string[];
}

/** A file that was checked; what is kept as a value was read already. */
interface Input extends InputArgument {
  /** Its length in bytes, if that is known. */
  bytes: number | undefined;
  value?: unknown;
}

const COLUMNS: readonly Column[] = [
  { header: 'ARTIFACT', shrinks: true },
  { header: 'SIZE', align: 'right' },
  { header: 'STORED', align: 'right', dropOrder: 1 },
  { header: 'NEW', align: 'right' },
];

/** `stowage put <flow>/<run>/<step>/<task>[/<attempt>] <name>=<file> ...` */
export const put: CommandDeclaration = {
  name: 'put',
  text: 'save files as the artifacts of a new attempt of a task',
  arguments: [
    pathArgument('<path>', 4, 5, '; default: the next attempt'),
    { form: '<artifact...>', text: '<name>=<file>, "-" for stdin', completion: 'artifact=file' },
  ],
  options: [
    {
      flags: '--as <form>',
      text: 'what the files become',
      choices: ['bytes', 'text', 'json'] satisfies InputForm[],
      default: 'bytes',
    },
    {
      flags: '--metadata <key=value>',
      text: 'metadata of the attempt, as JSON or text; repeat it for more',
      repeats: true,
    },
    {
      flags: '--tag <tag>',
      text: 'a tag for the run that this makes; repeat it for more',
      repeats: true,
    },
  ],
  async run(invocation: Invocation, [text, artifacts]: [string, string[]], options: PutOptions) {
    const { parseInputs, parseMetadata } = await import('../put-arguments.ts');
    const given = parseStorePath(text, 4, 5) as TaskOrAttemptPath;
    const metadata = parseMetadata(options.metadata ?? []);
    // Everything that can be known to be wrong is found before anything is written.
    const inputs = await readInputs(invocation, parseInputs(artifacts), options.as);
    const path = await pathToPut(invocation, given);
    await withStoreToWrite(invocation, async (store, isNew) => {
      const flow = await store.flow(path.flow);
      if (options.tag) await makeRun(flow, path, options.tag, invocation);
      const attempt = await save(invocation, flow, path, inputs, metadata, options.as);
      await report(invocation, store, { ...path, attempt }, isNew);
    });
  },
};

/** A name is the id of a run that is there or is made: only words stand for another, and never for one to make. */
async function pathToPut(invocation: Invocation, path: TaskOrAttemptPath): Promise<TaskOrAttemptPath> {
  const { isRunWord, meantPath } = await import('../meant-run.ts');
  if (!isRunWord(path.run)) return path;
  return withStore(invocation, async (store) => {
    const meant = await meantPath(invocation, store, path);
    const { flow, run } = meant;
    const { missing } = await import('../../views/not-found.ts');
    const error = await missing(store, { flow, run });
    if (error) throw error;
    return meant;
  });
}

async function readInputs(
  invocation: Invocation,
  given: readonly InputArgument[],
  form: InputForm,
): Promise<Input[]> {
  const { checkInput, readInput } = await import('../files/input-file.ts');
  const inputs: Input[] = [];
  for (const input of given) inputs.push({ ...input, bytes: await checkInput(input.file) });
  const typed = inputs.find(({ file }) => isTyped(file));
  if (typed) invocation.note(`reading ${typed.name} from the terminal; Ctrl-D ends it.`);
  if (form === 'bytes') return inputs;
  const { SerializerRegistry } = await import('../../values/registry.ts');
  const registry = new SerializerRegistry();
  for (const input of inputs) {
    input.value = await readInput(input.file, form, invocation);
    // Not all JSON can be saved: it may be too deep, or hold `__proto__`. Text always can.
    if (form === 'json') registry.serialize(input.name, input.value);
  }
  return inputs;
}

function isTyped(file: string): boolean {
  return file === '-' && process.stdin.isTTY;
}

/** Tags belong to a run from its beginning. */
async function makeRun(
  flow: FlowDataStore,
  path: TaskOrAttemptPath,
  tags: readonly string[],
  { signal }: Invocation,
): Promise<void> {
  try {
    await flow.createRun({ runId: path.run, tags, signal });
  } catch (error) {
    if (!isStowageError(error, 'RUN_EXISTS')) throw error;
    const { details, cause } = error;
    const run = formatStorePath({ flow: path.flow, run: path.run });
    const message = `Run ${run} exists already. Tags are given when a run is made: leave out --tag.`;
    throw new StowageError('RUN_EXISTS', message, { details, cause });
  }
}

/** Saves everything as one attempt, whose number it resolves to; whatever goes wrong, the attempt does not stay open. */
async function save(
  invocation: Invocation,
  flow: FlowDataStore,
  { run: runId, step: stepName, task: taskId, attempt }: TaskOrAttemptPath,
  inputs: readonly Input[],
  metadata: Metadata,
  form: InputForm,
): Promise<number> {
  const { signal } = invocation;
  const task = await flow.createTaskDataStore({ runId, stepName, taskId, attempt }, { signal });
  try {
    if (Object.keys(metadata).length > 0) await task.saveMetadata(metadata, { signal });
    if (form === 'bytes') await saveStreams(invocation, task, inputs);
    else {
      const values = new Map(inputs.map(({ name, value }) => [name, value]));
      const title = inputs.map(({ name }) => name).join(', ');
      await task.saveArtifacts(values, { signal, onProgress: (at) => showBytes(invocation, title, at) });
    }
    await task.done({ signal });
    return task.attempt;
  } catch (error) {
    if (!task.isClosed) await fail(invocation, task, error);
    throw error;
  }
}

async function saveStreams(
  invocation: Invocation,
  task: OpenTaskDataStore,
  inputs: readonly Input[],
): Promise<void> {
  const { signal } = invocation;
  const { streamInput } = await import('../files/input-file.ts');
  const { countPieces } = await import('../../async/progress.ts');
  // What is said to be stored would not be all that lies there.
  const tell = (message: unknown): void => {
    const { names, error } = message as LeftBehind;
    invocation.note(
      `${countOf(names.length, 'object')} that nothing uses could not be removed, and ${names.length === 1 ? 'takes' : 'take'} up space: ${(error as Error).message}`,
    );
  };
  subscribe('stowage:left-behind', tell);
  try {
    for (const { name, file, bytes: total } of inputs) {
      const read = (): AsyncGenerator<Uint8Array> => streamInput(file, { signal });
      const show = (title: string): ((at: Progress) => void) => {
        return (at) => showBytes(invocation, title, at);
      };
      if (isTyped(file))
        await task.saveArtifactStream(name, read(), { signal }); // it is on the terminal already
      // What is no file, such as a pipe, can be read but once.
      else if (total === undefined)
        await task.saveArtifactStream(name, countPieces(read(), show(name), 'put', undefined), { signal });
      else {
        let isFirst = true;
        const readTwice = (): AsyncGenerator<Uint8Array> => {
          if (!isFirst) return read();
          isFirst = false;
          return countPieces(read(), show(`checking ${name}`), 'put', total);
        };
        await task.saveArtifactFile(name, readTwice, { signal, onProgress: show(name) });
      }
    }
  } finally {
    unsubscribe('stowage:left-behind', tell);
  }
}

function showBytes(invocation: Invocation, title: string, at: Progress): void {
  invocation.progress(() => workOnBytes(title, at));
}

async function fail(invocation: Invocation, task: OpenTaskDataStore, error: unknown): Promise<void> {
  const where = `${task.flowName}/${task.pathspec}`;
  const { signal } = invocation;
  const why = signal.aborted
    ? new StowageError('ABORTED', `stowage put was ${String(signal.reason)}.`)
    : error;
  try {
    await task.fail(why);
    invocation.note(`attempt ${where} is closed as failed.`);
  } catch (failure) {
    if (isStowageError(failure, 'ATTEMPT_CLOSED')) return; // it was done after all
    invocation.note(`attempt ${where} could not be closed as failed: ${(failure as Error).message}`);
  }
}

async function report(
  { output, json }: Invocation,
  store: OpenStore,
  place: TaskOrAttemptPath & { attempt: number },
  isNew: boolean,
): Promise<void> {
  const { readSaved } = await import('../../views/saved-artifacts.ts');
  const artifacts = await readSaved(store, place, place.attempt);
  if (json) return output.json({ ...place, newStore: isNew, artifacts });
  await output.line(output.paint('bold', printable(formatStorePath(place))));
  await output.table(COLUMNS, artifacts.map(artifactRow));
}

function artifactRow(artifact: SavedArtifact): Cell[] {
  const { name, bytes, newBytes, inline } = artifact;
  const news = inline ? '' : newBytes === 0 ? 'known' : formatBytes(newBytes);
  return [nameCell(name), formatBytes(bytes), storedText(artifact), news];
}
