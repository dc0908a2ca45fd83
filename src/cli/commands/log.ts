import { type AttemptFiles, type ListedTask, readDone } from '../../format/attempt-files.ts';
import { validateLogChoice } from '../../format/log-names.ts';
import { type ListedLog, listLogs, readLog } from '../../logs/log-reader.ts';
import { type AttemptRule, attemptRule, chooseAttempt } from '../choose-attempt.ts';
import { usageError } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import { latestOf, pathOf, tasksAt } from '../listings.ts';
import { followAttempt, followTasks } from '../logs/log-follow.ts';
import { LogText } from '../logs/log-sink.ts';
import { findTail, parseTail, readTail } from '../logs/log-tail.ts';
import { reachRun } from '../reach.ts';
import { type OpenStore, withStore } from '../store.ts';
import { formatStorePath, parseStorePath, type StorePath } from '../store-path.ts';
import { didYouMean, listed as listedNames, suggest } from '../suggestions.ts';

/** How many tasks are looked at at once. */
const CONCURRENT_LISTINGS = 16;

/** Options of `stowage log`. */
export interface LogOptions {
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

/** `stowage log <flow>/<run>[/<step>[/<task>[/<attempt>]]]` */
export async function log(invocation: Invocation, text: string, options: LogOptions): Promise<void> {
  const path = parseStorePath(text, 1, 5);
  const rule = attemptRule(path, options.attempt);
  if (typeof rule === 'number' && path.task === undefined) {
    throw usageError('--attempt <number> is for one task; for many, only --attempt latest-done.');
  }
  const tail = parseTail(options.tail);
  if (options.follow) return follow(invocation, path, rule, options, tail);
  await withStore(invocation, async (store) => {
    const tasks = await tasksAt(store.storage, await reachRun(store.storage, path, invocation), invocation);
    const found: ChosenLog[] = [];
    for (let start = 0; start < tasks.length; start += CONCURRENT_LISTINGS) {
      const slice = tasks.slice(start, start + CONCURRENT_LISTINGS);
      const isOnly = path.task !== undefined;
      const logs = slice.map((task) => logsOf(invocation, store, task, rule, isOnly));
      found.push(...(await Promise.all(logs)).flat());
    }
    const chosen = found.filter(
      ({ source, stream }) => (options.source ?? source) === source && (options.stream ?? stream) === stream,
    );
    if (chosen.length === 0) checkNames(found, options);
    if (invocation.json) return writeDocument(invocation, store, chosen, tail);
    if (chosen.length === 0) invocation.note('nothing was logged.');
    const { output } = invocation;
    const sink = new LogText(output, { ...invocation.options, headed: chosen.length > 1 });
    for (const one of chosen) {
      const subject = { ...one, task: pathOf(one.listed) };
      await sink.begin(subject);
      for await (const piece of piecesOf(invocation, store, one, tail)) await sink.write(subject, piece);
      await sink.end(subject);
    }
  });
}

async function follow(
  invocation: Invocation,
  givenPath: StorePath,
  rule: AttemptRule,
  { source, stream }: LogOptions,
  tail: number | undefined,
): Promise<void> {
  const choice = { source, stream };
  validateLogChoice(choice);
  if (rule === 'latestDone')
    throw usageError('--follow waits for what is not done yet; leave --attempt latest-done out.');
  await withStore(invocation, async (store) => {
    const path = await reachRun(store.storage, givenPath, invocation);
    if (path.task === undefined) return followTasks(invocation, store, path, { choice, tail });
    const [listed] = await tasksAt(store.storage, path, invocation);
    if (!listed) return;
    await followAttempt(invocation, store, { listed, attempt: rule ?? latestOf(listed) }, { choice, tail });
  });
}

async function logsOf(
  { signal }: Invocation,
  store: OpenStore,
  listed: ListedTask,
  rule: AttemptRule,
  isOnly: boolean,
): Promise<ChosenLog[]> {
  const attempt = await attemptOf(store, listed, rule, isOnly, signal);
  if (attempt === undefined) return [];
  const logs = await listLogs(store.storage, listed.path, attempt, { signal });
  return logs.map((one) => ({ ...one, listed, attempt }));
}

/** Which attempt's logs are meant; `undefined` for a task among many that has no such attempt. */
async function attemptOf(
  store: OpenStore,
  listed: ListedTask,
  rule: AttemptRule,
  isOnly: boolean,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (rule === undefined) return latestOf(listed);
  const attempts: { attempt: number; status: string }[] = [];
  for (const [attempt, files] of [...listed.attempts].sort(([a], [b]) => a - b)) {
    const status = rule === 'latestDone' ? await outcomeOf(store, listed, attempt, files, signal) : '';
    attempts.push({ attempt, status });
  }
  if (!isOnly && !attempts.some(({ status }) => status === 'done')) return undefined;
  return chooseAttempt(formatStorePath(pathOf(listed)), attempts, rule).attempt;
}

async function outcomeOf(
  { storage }: OpenStore,
  { path }: ListedTask,
  attempt: number,
  files: AttemptFiles,
  signal: AbortSignal,
): Promise<string> {
  if (!files.has('done') || files.has('deleted')) return 'not done';
  return (await readDone(storage, path, attempt, { signal }))?.outcome ?? 'not done';
}

/** A source or stream that was named, and that nobody wrote. */
function checkNames(found: readonly ChosenLog[], options: LogOptions): void {
  if (found.length === 0) return;
  for (const what of ['source', 'stream'] as const) {
    const wanted = options[what];
    const names = [...new Set(found.map((one) => one[what]))];
    if (wanted === undefined || names.includes(wanted)) continue;
    const remedy = didYouMean(suggest(wanted, names)) || ` What there is: ${listedNames(names)}.`;
    throw usageError(`No log has the ${what} ${wanted}.${remedy}`, { [what]: wanted, existing: names });
  }
}

async function* piecesOf(
  { signal }: Invocation,
  { storage }: OpenStore,
  chosen: ChosenLog,
  tail: number | undefined,
): AsyncGenerator<Uint8Array> {
  if (tail === undefined) return yield* readLog(storage, chosen.parts, { signal });
  yield* readTail(storage, await findTail(storage, chosen, tail, { signal }), { signal });
}

/** `--json`: all logs with their text, piece by piece. */
async function writeDocument(
  invocation: Invocation,
  store: OpenStore,
  chosen: readonly ChosenLog[],
  tail: number | undefined,
): Promise<void> {
  const { output } = invocation;
  await output.write('{\n  "logs": [');
  for (const [index, one] of chosen.entries()) {
    const { listed, attempt, source, stream, bytes } = one;
    const head = JSON.stringify({ ...pathOf(listed), attempt, source, stream, bytes });
    await output.write(`${index === 0 ? '' : ','}\n    ${head.slice(0, -1)},"text":"`);
    const decoder = new TextDecoder();
    for await (const piece of piecesOf(invocation, store, one, tail)) {
      await output.write(JSON.stringify(decoder.decode(piece, { stream: true })).slice(1, -1));
    }
    await output.write(`${JSON.stringify(decoder.decode()).slice(1, -1)}"}`);
  }
  await output.write(chosen.length === 0 ? ']\n}\n' : '\n  ]\n}\n');
}
