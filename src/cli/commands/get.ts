import type { ArtifactEntry } from '../../content/description.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import { attemptRule } from '../choose-attempt.ts';
import { usageError } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import { artifactNotFound, missing } from '../not-found.ts';
import type { Sink } from '../output.ts';
import { toFile } from '../output-file.ts';
import { Progress } from '../progress.ts';
import { formatBytes, formatPercent } from '../sizes.ts';
import { type OpenStore, withStore } from '../store.ts';
import { formatStorePath, parseStorePath, type Reaching } from '../store-path.ts';
import { TerminalFilter } from '../terminal-filter.ts';
import { ValueJson } from '../value-json.ts';

/** Options of `stowage get`. */
export interface GetOptions {
  output?: string;
  bytes?: boolean;
  attempt?: string;
  allowNotDone?: boolean;
}

/** How an artifact is written. */
type Form = 'bytes' | 'text' | 'json';

/** `stowage get <flow>/<run>/<step>/<task>[/<attempt>] <artifact>` */
export async function get(
  invocation: Invocation,
  text: string,
  artifact: string,
  options: GetOptions,
): Promise<void> {
  const path = parseStorePath(text, 4, 5) as Reaching<'flow' | 'run' | 'step' | 'task'>;
  if (invocation.json && options.bytes)
    throw usageError('--bytes and --json are two forms; give one of them.');
  await withStore(invocation, async (store) => {
    const task = await openTask(invocation, store, path, options);
    if (!task.has(artifact)) throw noArtifact(task, artifact);
    const write = (sink: Sink, isTerminal: boolean): Promise<void> =>
      writeArtifact(invocation, task, artifact, options, sink, isTerminal);
    const { output: file = '-' } = options;
    if (file === '-') await write(invocation.output, invocation.output.isTerminal);
    else await toFile(file, invocation.signal, (sink) => write(sink, false));
  });
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
    if (isStowageError(error, 'ATTEMPT_NOT_DONE')) throw notDone(error, where, attempt === undefined);
    throw error;
  }
}

/** The library speaks of its own options; here they have other names. */
function notDone({ details, cause }: StowageError, where: string, mayFallBack: boolean): StowageError {
  const { status, existing } = details as { status?: string; existing: readonly number[] };
  const state =
    { open: 'is not finished', failed: 'failed', abandoned: 'was given up' }[status ?? ''] ?? 'is not done';
  const subject = status === undefined ? `No attempt of task ${where} is done` : `Task ${where} ${state}`;
  const older = mayFallBack && existing.length > 1 ? ' For an older result: --attempt latest-done.' : '';
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

async function writeArtifact(
  invocation: Invocation,
  task: TaskDataStore,
  name: string,
  options: GetOptions,
  sink: Sink,
  isTerminal: boolean,
): Promise<void> {
  if (invocation.json) return writeDocument(invocation, task, name, sink);
  const form = formOf(task.info(name));
  const isRaw = form === 'bytes' || (options.bytes && form !== 'text');
  if (isRaw && isTerminal) throw binaryToTerminal(task, name);
  const safe = isTerminal ? new SafeSink(sink) : undefined;
  if (isRaw || form === 'text') await streamBytes(invocation, task, name, safe ?? sink);
  else await writeValue(await task.get(name, invocation), safe ?? sink);
  await safe?.end();
}

/** Bytes and strings lie in the store as they are; everything else is shown as JSON. */
function formOf({ encoding, type }: Pick<ArtifactEntry, 'encoding' | 'type'>): Form {
  if (encoding === 'string') return 'text';
  const isBytes =
    encoding === 'bytes' || (encoding === 'typed-array' && /^(ArrayBuffer|DataView)$/.test(type));
  return isBytes ? 'bytes' : 'json';
}

async function streamBytes(
  { signal }: Invocation,
  task: TaskDataStore,
  name: string,
  sink: Sink,
): Promise<void> {
  const { bytes: total } = task.info(name);
  const progress = new Progress();
  let written = 0;
  try {
    for await (const piece of task.streamArtifact(name, { signal })) {
      await sink.write(piece);
      written += piece.length;
      progress.update(
        () => `${formatBytes(written)} of ${formatBytes(total)} (${formatPercent(written, total)})`,
      );
    }
  } finally {
    progress.end();
  }
}

async function writeValue(value: unknown, sink: Sink): Promise<void> {
  if (typeof value === 'string') return sink.write(value); // one that UTF-8 cannot hold
  for (const piece of new ValueJson().pieces(value)) await sink.write(piece);
  await sink.write('\n');
}

/** `--json`: what is known of the artifact, and its value. */
async function writeDocument(
  invocation: Invocation,
  task: TaskDataStore,
  name: string,
  sink: Sink,
): Promise<void> {
  const { flowName: flow, runId: run, stepName: step, taskId, attempt, status } = task;
  const head = { flow, run, step, task: taskId, attempt, status, artifact: task.info(name) };
  const value = await task.get(name, invocation);
  await sink.write(`${JSON.stringify(head, null, 2).slice(0, -2)},\n  "value": `);
  const json = new ValueJson();
  for (const piece of json.pieces(value, 1)) await sink.write(piece);
  await sink.write(`,\n  "exact": ${json.isExact}\n}\n`);
}

function binaryToTerminal(task: TaskDataStore, name: string): Error {
  const { type, bytes } = task.info(name);
  return usageError(
    `${name} is ${formatBytes(bytes)} of bytes (${type}), which a terminal cannot show. Save it with -o <file>, or pipe it on, as in: | xxd | head`,
    { artifact: name, type, bytes },
  );
}

/** Text for a terminal: nothing in a stored value may move its cursor or change its settings. */
class SafeSink implements Sink {
  readonly #sink: Sink;
  readonly #filter = new TerminalFilter({ colours: false });

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async write(piece: string | Uint8Array): Promise<void> {
    await this.#sink.write(this.#filter.push(piece));
  }

  async end(): Promise<void> {
    await this.#sink.write(this.#filter.end());
  }
}
