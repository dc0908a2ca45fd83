import { isDeepStrictEqual } from 'node:util';
import type { BoundedWork } from '../async/bounded-work.ts';
import { StowageError } from '../errors.ts';
import { type ListedTask, listTasks } from '../format/attempt-files.ts';
import { holdsBytes } from '../format/create-own.ts';
import { formatPathspec } from '../format/pathspec.ts';
import { listRunEnds, type RunFinished, readRunFinished, runEndName } from '../format/run-ends.ts';
import {
  createdName,
  createRunTime,
  decodeRunCreated,
  type RunCreated,
  readRunCreated,
  withoutRawDataPath,
} from '../format/run-records.ts';
import type { CallOptions, DataStoreStorage, ListedObject } from '../storage/contract.ts';
import { type AttemptToCopy, copyAttempt } from './copy-attempt.ts';
import type { CopyContext } from './copy-context.ts';
import { copyKept } from './copy-loose.ts';
import { MergeJoin } from './merge-join.ts';

/** A run of the source. */
export interface RunToCopy {
  flow: string;
  run: string;
}

const MAX_RECORD_BYTES = 4 * 1024 * 1024;

/**
 * Copies a run: its code, and created.json, behind what tells listings its time, then its tasks, each with its attempts from the first to the last, so that readers of the target see
 * nothing that the source did not say at some time; then its ends, those there were before the tasks were listed, unless
 * something of the run could not be copied.
 *
 * @param tasks where the tasks are copied
 * @returns what is left to do once the tasks were begun: to wait for them, and to finish the run
 */
export async function copyRun(
  context: CopyContext,
  { flow, run }: RunToCopy,
  tasks: BoundedWork,
): Promise<() => Promise<void>> {
  const { report } = context;
  const path = `${flow}/${run}`;
  const isSame = await report.count(undefined, path, () => copyRecord(context, flow, run, CREATED));
  const ended: Promise<void>[] = [];
  let isComplete = isSame;
  // Read before the tasks: all that were closed when it was written are listed then.
  const ends = isSame ? await endsOf(context.source.storage, flow, run, context.options) : [];
  if (isSame) {
    for await (const task of listRun(context, { flow, run })) {
      report.attemptsFound += task.length;
      for (const { path } of task.slice(0, 1)) context.entries.noteTask(path.task);
      const copying = await tasks.begin(async () => {
        for (const attempt of task) if (!(await copyCounted(context, attempt))) isComplete = false;
      });
      ended.push(copying.ended);
    }
  }
  return async () => {
    await Promise.all(ended);
    tasks.throwIfFailed();
    for (const end of isComplete ? ends : []) {
      if (!(await report.count(undefined, path, () => copyRecord(context, flow, run, endRecord(end))))) break;
    }
    report.runsDone += 1;
    report.progressed();
  };
}

function copyCounted(context: CopyContext, attempt: AttemptToCopy): Promise<boolean> {
  const path = `${attempt.path.flow}/${formatPathspec(attempt.path, attempt.attempt)}`;
  return context.report.count(context.report.attempts, path, () => copyAttempt(context, attempt));
}

/**
 * The tasks of a run in the source, each with its attempts in their order, and what the target has of them: four LISTs side by side. That of
 * the source's logs begins anew with each page of tasks: an older one might lack the last logs of an attempt that closed since.
 */
async function* listRun(context: CopyContext, run: RunToCopy): AsyncGenerator<AttemptToCopy[]> {
  const { source, target, options } = context;
  const targetTasks = new MergeJoin(listTasks(target.storage, run, options), taskId);
  let logs: MergeJoin<ListedLogs> | undefined;
  let isOutdated = true;
  const onPage = (): void => {
    isOutdated = true;
  };
  const targetLogs = new MergeJoin(listLogs(target.storage, run, options), idOfLogs);
  try {
    for await (const task of listTasks(source.storage, run, { ...options, onPage })) {
      const id = taskId(task);
      const there = await targetTasks.at(id);
      if (isOutdated || !logs) {
        await logs?.close();
        logs = new MergeJoin(listLogs(source.storage, run, options, id), idOfLogs);
        isOutdated = false;
      }
      const beside = {
        logs: (await logs.at(id))?.parts ?? [],
        targetLogs: (await targetLogs.at(id))?.parts ?? [],
      };
      const attempts = [...task.attempts].sort(([a], [b]) => a - b);
      const closed = attempts.flatMap(([attempt, files]) => (files.has('done') ? [attempt] : []));
      yield attempts.map(([attempt, files]) => ({
        path: task.path,
        attempt,
        files,
        later: closed.filter((other) => other > attempt),
        targetFiles: there?.attempts.get(attempt),
        ...beside,
      }));
    }
  } finally {
    for (const listing of [targetTasks, logs, targetLogs]) await listing?.close();
  }
}

function taskId({ path: { step, task } }: ListedTask): string {
  return `${step}/${task}/`;
}

/** The log parts of a task. */
interface ListedLogs {
  id: string;
  parts: ListedObject[];
}

function idOfLogs({ id }: ListedLogs): string {
  return id;
}

/** The log parts of a run, by task; with `first` from that task on. */
async function* listLogs(
  storage: DataStoreStorage,
  { flow, run }: RunToCopy,
  options: CallOptions,
  first?: string,
): AsyncGenerator<ListedLogs> {
  const prefix = `logs/${flow}/${run}/`;
  const startAfter = first === undefined ? undefined : prefix + first;
  let current: ListedLogs | undefined;
  for await (const page of storage.list({ prefix, startAfter, details: true, ...options })) {
    for (const object of page.objects) {
      const id = object.name.slice(prefix.length, object.name.lastIndexOf('/') + 1);
      if (current?.id !== id) {
        if (current) yield current;
        current = { id, parts: [] };
      }
      current.parts.push(object);
    }
  }
  if (current) yield current;
}

/** A record of a run. */
interface RunRecord {
  nameOf(flow: string, run: string): string;
  kind: string;
  /** Its subject, beside the flow and the run. */
  subject?: { end: number };
  read(...of: Parameters<typeof readRunCreated>): Promise<RunCreated | RunFinished | undefined>;
  /** The meaning of another one in the target. */
  what: string;
}

const CREATED: RunRecord = {
  nameOf: createdName,
  kind: 'run',
  read: readRunCreated,
  what: 'is another run there, which was made by somebody else: nothing of it was copied',
};

function endRecord(end: number): RunRecord {
  return {
    nameOf: (flow, run) => runEndName(flow, run, end),
    kind: 'run-finished',
    subject: { end },
    read: (...of) => readRunFinished(...of, end),
    what: 'ended otherwise there',
  };
}

/** The ends that are recorded of a run. A run that is open costs no LIST. */
async function endsOf(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  options: CallOptions,
): Promise<number[]> {
  const isFinished = await storage.head(runEndName(flow, run, 0), options);
  return isFinished ? listRunEnds(storage, flow, run, options) : [];
}

/** Copies a record of a run as it is; the target may have it, if it says the same. */
async function copyRecord(
  context: CopyContext,
  flow: string,
  run: string,
  record: RunRecord,
): Promise<'copied' | 'present'> {
  const { source, target, dryRun, options } = context;
  const name = record.nameOf(flow, run);
  const ours = await source.storage.get(name, { ...options, maxBytes: MAX_RECORD_BYTES });
  if (!ours) return 'present';
  const subject = { flow, run, ...record.subject };
  const body = withoutRawDataPath(ours.body, source.storage.uri(name), record.kind, subject);
  const standing = await target.storage.get(name, { ...options, maxBytes: MAX_RECORD_BYTES });
  if (standing && Buffer.compare(standing.body, body) === 0) return 'present';
  if (!standing) {
    const created = record === CREATED ? decodeRunCreated(body, name, { flow, run }) : undefined;
    // Before the record that names it. Where it cannot be copied, the run is not.
    if (created?.code) await copyKept(context, created.code.session);
    if (dryRun) return 'copied';
    if (created) {
      const { createdAt } = created;
      // Before the record, so that a copy which ends in between makes up for it.
      await createRunTime(target.storage, flow, run, createdAt, options);
    }
    if (await target.storage.create(name, body, { ...options, durability: 'barrier' })) return 'copied';
    if (await holdsBytes(target.storage, name, body, options.signal)) return 'copied';
  }
  const said = await record.read(source.storage, flow, run, options);
  const theirs = await record.read(target.storage, flow, run, options);
  if (isDeepStrictEqual(wherever(said), wherever(theirs))) return 'present';
  throw new StowageError(
    'RUN_EXISTS',
    `Run ${flow}/${run} ${record.what}. Copy into another store, or compare the two runs.`,
    { details: { flow, run } },
  );
}

/** The part of a record that does not depend on where content lies. */
function wherever(record: RunCreated | RunFinished | undefined): unknown {
  return record && { ...record, rawDataPath: undefined };
}
