import type { ListedTask } from '../../format/attempt-files.ts';
import type { LogChoice } from '../../format/log-names.ts';
import type { ListedLog } from '../../logs/log-reader.ts';
import type { AttemptRule } from '../../views/attempts.ts';
import { formatStorePath, type RunPath, type StorePath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import { ATTEMPT_OPTION, type CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { attemptRule, parseStorePath, pathArgument } from '../store-path.ts';

interface LogOptions {
  follow?: boolean;
  tail?: string;
  source?: string;
  stream?: string;
  attempt?: string;
}

/** A log that is to be written. */
interface ChosenLog extends ListedLog {
  listed: ListedTask;
  attempt: number;
}

/** So many tasks are looked at at once. */
const CONCURRENT_LISTINGS = 16;

/** `stowage log <flow>/<run>[/<step>[/<task>[/<attempt>]]]` */
export const log: CommandDeclaration = {
  name: 'log',
  text: 'write the logs of a task, or of all tasks of a step or run',
  arguments: [pathArgument('<path>', 2, 5)],
  options: [
    { flags: '-f, --follow', text: 'print what is logged from now on, until the end' },
    { flags: '-n, --tail <lines>', text: 'only this many last lines of each log, or "all"' },
    { flags: '--source <name>', text: 'only what this source wrote (task, runtime, ...)' },
    { flags: '--stream <name>', text: 'only this stream (stdout, stderr, ...)' },
    ATTEMPT_OPTION,
  ],
  async run(invocation: Invocation, [text]: [string], options: LogOptions) {
    const path = parseStorePath(text, 1, 5);
    const rule = attemptRule(path, options.attempt);
    if (typeof rule === 'number' && path.task === undefined) {
      throw usageError('--attempt <number> is for one task; for many, only --attempt latest-done.');
    }
    const tail = parseTail(options.tail);
    const { source, stream } = options;
    if (options.follow) return follow(invocation, path, rule, { source, stream }, tail);
    await withStore(invocation, async (store) => {
      const { reachRun } = await import('../reach.ts');
      const { mapBounded } = await import('../../async/bounded-work.ts');
      const { tasksAt } = await import('../../views/listing.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      const { reached, tasks } = await withMeantRun(invocation, store, path, async (meant) => {
        const run = await reachRun(store, meant);
        return { reached: run, tasks: await tasksAt(store, run) };
      });
      const isOnly = path.task !== undefined;
      const logs = await mapBounded(tasks, CONCURRENT_LISTINGS, (task) => logsOf(store, task, rule, isOnly));
      const found = logs.flat();
      const chosen = found.filter(
        (one) => (source ?? one.source) === one.source && (stream ?? one.stream) === one.stream,
      );
      if (chosen.length === 0) await checkNames(found, options);
      if (invocation.json) return writeDocument(invocation, store, chosen, tail);
      if (chosen.length === 0) invocation.note(await nothingLogged(store, reached, tasks, rule));
      await writeText(invocation, store, chosen, tail);
    });
  },
};

/** The number of lines that `--tail` asks for; `undefined` for all. */
export function parseTail(text: string | undefined): number | undefined {
  if (text === undefined || text === 'all') return undefined;
  if (/^(0|[1-9]\d{0,14})$/.test(text)) return Number(text);
  throw usageError(`--tail is a number of lines from 0 on, or "all", not ${JSON.stringify(text)}.`);
}

async function follow(
  invocation: Invocation,
  givenPath: StorePath,
  rule: AttemptRule,
  choice: LogChoice,
  tail: number | undefined,
): Promise<void> {
  const { validateLogChoice } = await import('../../format/log-names.ts');
  validateLogChoice(choice);
  if (rule === 'latestDone')
    throw usageError('--follow waits for what is not done yet; leave --attempt latest-done out.');
  await withStore(invocation, async (store) => {
    const { reachRun } = await import('../reach.ts');
    const { followAttempt, followTasks } = await import('../logs/log-follow.ts');
    const { tasksAt } = await import('../../views/listing.ts');
    const { latestAttempt } = await import('../../format/attempt-files.ts');
    const { meantPath } = await import('../meant-run.ts');
    const path = await reachRun(store, await meantPath(invocation, store, givenPath));
    if (path.task === undefined) return followTasks(invocation, store, path, { choice, tail });
    const [listed] = await tasksAt(store, path);
    if (!listed) return;
    const attempt = rule ?? latestAttempt(listed.attempts);
    await followAttempt(invocation, store, { listed, attempt }, { choice, tail });
  });
}

async function logsOf(
  store: OpenStore,
  listed: ListedTask,
  rule: AttemptRule,
  isOnly: boolean,
): Promise<ChosenLog[]> {
  const { listLogs } = await import('../../logs/log-reader.ts');
  const attempt = await attemptOf(store, listed, rule, isOnly);
  if (attempt === undefined) return [];
  const logs = await listLogs(store.storage, listed.path, attempt, { signal: store.signal });
  return logs.map((one) => ({ ...one, listed, attempt }));
}

/** Chooses the attempt whose logs are meant; `undefined` for a task among many that has no such attempt. */
async function attemptOf(
  { storage, signal }: OpenStore,
  listed: ListedTask,
  rule: AttemptRule,
  isOnly: boolean,
): Promise<number | undefined> {
  const { latestAttempt, readDone } = await import('../../format/attempt-files.ts');
  const { chooseAttempt } = await import('../../views/attempts.ts');
  if (rule === undefined) return latestAttempt(listed.attempts);
  const { flow, run, step, task } = listed.path;
  const attempts: { attempt: number; status: string }[] = [];
  for (const [attempt, files] of [...listed.attempts].sort(([a], [b]) => a - b)) {
    const isAsked = rule === 'latestDone' && files.has('done') && !files.has('deleted');
    const done = isAsked ? await readDone(storage, listed.path, attempt, { signal }) : undefined;
    attempts.push({ attempt, status: done?.outcome ?? 'not done' });
  }
  if (!isOnly && !attempts.some(({ status }) => status === 'done')) return undefined;
  return chooseAttempt(formatStorePath({ flow, run, step, task }), attempts, rule).attempt;
}

/** Says that nothing was logged, and where the logs of what was taken over lie. */
async function nothingLogged(
  store: OpenStore,
  path: RunPath,
  tasks: readonly ListedTask[],
  rule: AttemptRule,
): Promise<string> {
  const { nothingLoggedBelow, nothingLoggedBy } = await import('../logs/nothing-logged.ts');
  const [only] = path.task === undefined ? [] : tasks;
  if (!only) return nothingLoggedBelow(store, path);
  return nothingLoggedBy(store, only, (await attemptOf(store, only, rule, true)) as number);
}

/** A source or stream that was named, and that nobody wrote. */
async function checkNames(found: readonly ChosenLog[], options: LogOptions): Promise<void> {
  if (found.length === 0) return;
  const { didYouMean, listed, suggest } = await import('../../options/suggestions.ts');
  for (const what of ['source', 'stream'] as const) {
    const wanted = options[what];
    const names = [...new Set(found.map((one) => one[what]))];
    if (wanted === undefined || names.includes(wanted)) continue;
    const remedy = didYouMean(suggest(wanted, names)) || ` What there is: ${listed(names)}.`;
    throw usageError(`No log has the ${what} ${wanted}.${remedy}`, { [what]: wanted, existing: names });
  }
}

async function writeText(
  { output, options }: Invocation,
  store: OpenStore,
  chosen: readonly ChosenLog[],
  tail: number | undefined,
): Promise<void> {
  const { LogText } = await import('../logs/log-sink.ts');
  const { pathOf } = await import('../../views/listing.ts');
  const sink = new LogText(output, { ...options, headed: chosen.length > 1 });
  for (const one of chosen) {
    const subject = { ...one, task: pathOf(one.listed) };
    await sink.begin(subject);
    for await (const piece of piecesOf(store, one, tail)) await sink.write(subject, piece);
    await sink.end(subject);
  }
}

async function* piecesOf(
  { storage, signal }: OpenStore,
  chosen: ChosenLog,
  tail: number | undefined,
): AsyncGenerator<Uint8Array> {
  const { readLog } = await import('../../logs/log-reader.ts');
  const { findTail, readTail } = await import('../logs/log-tail.ts');
  if (tail === undefined) return yield* readLog(storage, chosen.parts, { signal });
  yield* readTail(storage, await findTail(storage, chosen, tail, { signal }), { signal });
}

/** `--json`: all logs with their text, piece by piece. */
async function writeDocument(
  { output }: Invocation,
  store: OpenStore,
  chosen: readonly ChosenLog[],
  tail: number | undefined,
): Promise<void> {
  const { pathOf } = await import('../../views/listing.ts');
  const { maxBytes } = output;
  if (Number.isFinite(maxBytes)) {
    const { fittedLogs } = await import('../logs/fitted-logs.ts');
    const logs = chosen.map((one) => ({ ...one, head: headOf(pathOf(one.listed), one) }));
    const choice = { lines: tail ?? Number.POSITIVE_INFINITY, maxBytes };
    for await (const piece of fittedLogs(store.storage, logs, choice, store)) await output.jsonPiece(piece);
    return;
  }
  await output.jsonPiece('{\n  "logs": [');
  for (const [index, one] of chosen.entries()) {
    await output.jsonPiece(`${index === 0 ? '' : ','}\n    ${headOf(pathOf(one.listed), one)},"text":"`);
    const decoder = new TextDecoder();
    for await (const piece of piecesOf(store, one, tail)) {
      await output.jsonPiece(JSON.stringify(decoder.decode(piece, { stream: true })).slice(1, -1));
    }
    await output.jsonPiece(`${JSON.stringify(decoder.decode()).slice(1, -1)}"}`);
  }
  await output.jsonPiece(chosen.length === 0 ? ']\n}\n' : '\n  ]\n}\n');
}

/** What a document tells of a log beside its text, without the closing brace. */
function headOf(task: StorePath, { attempt, source, stream, bytes }: ChosenLog): string {
  return JSON.stringify({ ...task, attempt, source, stream, bytes }).slice(0, -1);
}
