import { type LogPart, LogPartNames, logId } from '../../format/log-names.ts';
import type { TaskPath } from '../../format/pathspec.ts';
import { isNote, NOTE_BYTES } from '../../logs/log-scrubbing.ts';
import { isUserName } from '../../storage/names.ts';
import { TaskStates } from '../collection/partial-marks.ts';
import type { Checking, ShownObject } from './checking.ts';
import type { Finding } from './finding.ts';

type ShownPart = LogPart & ShownObject;

/** The parts of one attempt's logs that were listed. */
interface ListedLogs {
  path: TaskPath;
  attempt: number;
  parts: ShownPart[];
}

/** A log may have any number of parts; gaps in the first of these are told one by one. */
const MAX_GAPS = 100;

/**
 * Layer `logs`: parts of logs follow each other without gaps, but for those before the note of a scrub. Nothing covers their bytes, so that
 * these are not read.
 */
export async function* checkLogs(checking: Checking): AsyncGenerator<Finding, void> {
  const strangers: Finding[] = [];
  const states = new TaskStates(checking.attempts.sorted());
  let task: { prefix: string; states: ReturnType<TaskStates['of']> } | undefined;
  try {
    for await (const logs of listLogs(checking, strangers)) {
      yield* strangers.splice(0);
      const { flow, run, step, task: id } = logs.path;
      const prefix = `partial/${flow}/${run}/${step}/${id}/`;
      if (task?.prefix !== prefix) task = { prefix, states: states.of(prefix) };
      const [first] = logs.parts;
      const isOrphan = !task.states.has(logs.attempt) && !checking.isIncomplete;
      if (first && isOrphan && checking.isSettled(first)) {
        const about = { layer: 'logs', object: first.name, remedy: 'leave' } as const;
        yield checking.leftover(
          about,
          'is the log of an attempt of which there is no record: they were forgotten, or are lost.',
        );
      }
      for (const log of byLog(logs.parts)) yield* checkLog(checking, logs, log);
    }
    yield* strangers;
  } finally {
    states.close();
  }
}

async function* listLogs(checking: Checking, strangers: Finding[]): AsyncGenerator<ListedLogs, void> {
  let current: (ListedLogs & { names: LogPartNames }) | undefined;
  for await (const object of checking.list(checking.prefixOf('logs/'))) {
    let part = current?.names.parse(object.name);
    if (!part) {
      const [, flow = '', run = '', step = '', task = '', file = ''] = object.name.split('/');
      const number = file.slice(0, file.indexOf('.'));
      const path = { flow, run, step, task };
      const attempt = Number(number);
      const isAttempt = /^(0|[1-9]\d{0,15})$/.test(number) && Number.isSafeInteger(attempt);
      const names = new LogPartNames(path, attempt);
      part = isAttempt && Object.values(path).every(isUserName) ? names.parse(object.name) : undefined;
      if (!part) {
        strangers.push(checking.foreign('logs', object.name));
        continue;
      }
      if (current) yield current;
      current = { path, attempt, parts: [], names };
    }
    current?.parts.push({ ...part, ...object });
  }
  if (current) yield current;
}

function byLog(parts: readonly ShownPart[]): ShownPart[][] {
  const logs = new Map<string, ShownPart[]>();
  for (const part of parts) logs.set(logId(part), [...(logs.get(logId(part)) ?? []), part]);
  return [...logs.values()];
}

async function* checkLog(
  checking: Checking,
  { path, attempt }: ListedLogs,
  parts: readonly ShownPart[],
): AsyncGenerator<Finding, void> {
  const gaps = gapsOf(parts);
  if (gaps.length === 0 || !parts.some((part) => checking.isRecent(part))) return;
  // Whoever scrubs a log writes a note behind it, and then deletes all before that.
  const note = await lastNote(checking, parts);
  const names = new LogPartNames(path, attempt);
  let told = 0;
  for (const { log, sequence } of gaps) {
    if (note !== undefined && sequence < note) continue;
    const object = names.format(log, sequence);
    if (await checking.storage.head(object, checking.call)) continue;
    const { flow, run, step, task } = path;
    const concerns = [{ flow, run, step, task, attempt, name: logId(log), kind: 'log' }] as const;
    const message = `${checking.storage.uri(object)} is missing: the log has parts behind it, and was not scrubbed. Restore it from a copy of the store.`;
    yield checking.found({ layer: 'logs', object, severity: 'lost', concerns }, 'missing', message);
    told += 1;
    if (told === MAX_GAPS) return;
  }
}

function gapsOf(parts: readonly ShownPart[]): { log: LogPart; sequence: number }[] {
  const gaps: { log: LogPart; sequence: number }[] = [];
  let next = 0;
  for (const log of parts) {
    for (let sequence = next; sequence < log.sequence && gaps.length < MAX_GAPS * 100; sequence++)
      gaps.push({ log, sequence });
    next = log.sequence + 1;
  }
  return gaps;
}

async function lastNote(
  { storage, call }: Checking,
  parts: readonly ShownPart[],
): Promise<number | undefined> {
  for (const { name, bytes, sequence } of [...parts].reverse())
    if (bytes === NOTE_BYTES && (await isNote(storage, name, call))) return sequence;
  return undefined;
}
