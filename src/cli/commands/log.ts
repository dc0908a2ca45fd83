import { type AttemptFiles, attemptBase, type ListedTask } from '../../attempts/attempt-files.ts';
import { type LogName, listLogs, readLog } from '../../attempts/log-parts.ts';
import { decodeDone, readSessionFile, SESSION_FILES } from '../../content/session-files.ts';
import { type AttemptRule, attemptRule, chooseAttempt } from '../choose-attempt.ts';
import { usageError } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import { latestOf, pathOf, tasksAt } from '../listings.ts';
import { hasColours } from '../paint.ts';
import { type OpenStore, withStore } from '../store.ts';
import { formatStorePath, parseStorePath, type Reaching } from '../store-path.ts';
import { didYouMean, suggest } from '../suggestions.ts';
import { TerminalFilter } from '../terminal-filter.ts';
import { printable } from '../terminal-text.ts';

/** Options of `stowage log`. */
export interface LogOptions {
  source?: string;
  stream?: string;
  attempt?: string;
}

/** A log that is to be written. */
interface ChosenLog extends LogName {
  listed: ListedTask;
  attempt: number;
  bytes: number;
  parts: readonly string[];
}

/** `stowage log <flow>/<run>[/<step>[/<task>[/<attempt>]]]` */
export async function log(invocation: Invocation, text: string, options: LogOptions): Promise<void> {
  const path = parseStorePath(text, 2, 5) as Reaching<'flow' | 'run'>;
  const rule = attemptRule(path, options.attempt);
  if (typeof rule === 'number' && path.task === undefined) {
    throw usageError('--attempt <number> is for one task; for many, only --attempt latest-done.');
  }
  await withStore(invocation, async (store) => {
    const tasks = await tasksAt(store.storage, path, invocation);
    const found: ChosenLog[] = [];
    for (const task of tasks)
      found.push(...(await logsOf(invocation, store, task, rule, path.task !== undefined)));
    const chosen = found.filter(
      ({ source, stream }) => (options.source ?? source) === source && (options.stream ?? stream) === stream,
    );
    if (chosen.length === 0) checkNames(found, options);
    if (invocation.json) return writeDocument(invocation, store, chosen);
    if (chosen.length === 0) invocation.note('nothing was logged.');
    for (const [index, one] of chosen.entries())
      await writeLog(invocation, store, one, chosen.length > 1, index);
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
  const name = attemptBase(path, attempt) + SESSION_FILES.done;
  const body = await readSessionFile(storage, name, { signal });
  return body ? decodeDone(body, storage.uri(name)).outcome : 'not done';
}

/** A source or stream that was named, and that nobody wrote. */
function checkNames(found: readonly ChosenLog[], options: LogOptions): void {
  if (found.length === 0) return;
  for (const what of ['source', 'stream'] as const) {
    const wanted = options[what];
    const names = [...new Set(found.map((one) => one[what]))];
    if (wanted === undefined || names.includes(wanted)) continue;
    const remedy = didYouMean(suggest(wanted, names)) || ` There are ${names.join(', ')}.`;
    throw usageError(`No log has the ${what} ${wanted}.${remedy}`, { [what]: wanted, existing: names });
  }
}

async function writeLog(
  { output, options, signal }: Invocation,
  { storage }: OpenStore,
  { listed, attempt, source, stream, parts }: ChosenLog,
  isHeaded: boolean,
  index: number,
): Promise<void> {
  if (isHeaded) {
    const where = formatStorePath({ ...pathOf(listed), attempt });
    const header = `==> ${printable(`${where} ${source} ${stream}`)} <==`;
    await output.line(`${index === 0 ? '' : '\n'}${output.paint('bold', header)}`);
  }
  if (!output.isTerminal) {
    let last: Uint8Array | undefined;
    for await (const piece of readLog(storage, parts, { signal })) {
      await output.write(piece);
      if (piece.length > 0) last = piece;
    }
    if (isHeaded && last && last.at(-1) !== 0x0a) await output.line(); // the next header begins a line
    return;
  }
  const filter = new TerminalFilter({ colours: hasColours({ isTTY: true }, options.color) });
  for await (const piece of readLog(storage, parts, { signal })) await output.write(filter.push(piece));
  await output.write(filter.end());
}

/** `--json`: all logs with their text, piece by piece. */
async function writeDocument(
  { output, signal }: Invocation,
  { storage }: OpenStore,
  chosen: readonly ChosenLog[],
): Promise<void> {
  await output.write('{\n  "logs": [');
  for (const [index, { listed, attempt, source, stream, bytes, parts }] of chosen.entries()) {
    const head = JSON.stringify({ ...pathOf(listed), attempt, source, stream, bytes });
    await output.write(`${index === 0 ? '' : ','}\n    ${head.slice(0, -1)},"text":"`);
    const decoder = new TextDecoder();
    for await (const piece of readLog(storage, parts, { signal })) {
      await output.write(JSON.stringify(decoder.decode(piece, { stream: true })).slice(1, -1));
    }
    await output.write(`${JSON.stringify(decoder.decode()).slice(1, -1)}"}`);
  }
  await output.write(chosen.length === 0 ? ']\n}\n' : '\n  ]\n}\n');
}
