import { attemptSubject } from '../../format/attempt-files.ts';
import {
  checkpointSubject,
  decodeCheckpoint,
  MAX_CHECKPOINT_RECORD_BYTES,
} from '../../format/checkpoint-record.ts';
import { isContentKey } from '../../format/content-names.ts';
import type { ArtifactTable } from '../../format/description.ts';
import { decodeMetadataPart, MAX_PART_BYTES, metadataPartSubject } from '../../format/metadata-parts.ts';
import { partialPrefix } from '../../format/partial-names.ts';
import type { TaskPath } from '../../format/pathspec.ts';
import { decodeReportVersion, MAX_REPORT_RECORD_BYTES } from '../../format/report-records.ts';
import { decodeTrace, MAX_TRACE_BYTES } from '../../format/trace-record.ts';
import { isLogName, isUserName } from '../../storage/names.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import { TaskStates } from '../collection/partial-marks.ts';
import { wantRef } from './check-sessions.ts';
import type { Checking, ShownObject } from './checking.ts';
import type { Finding } from './finding.ts';

/** So many records are read at once. */
const AHEAD = 15;

type PartialKind = 'metadata' | 'trace' | 'checkpoint' | 'report';

/** A record of an attempt under way. */
interface ListedPartial {
  object: ShownObject;
  path: TaskPath;
  attempt: number;
  kind: PartialKind;
  /** The call of a trace, the name of a report. */
  name: string;
  sequence: number;
  /** Attempts go on from it, or are told by it; else it can go. */
  counts: boolean;
  /** No attempt of that number is known. */
  isOrphan: boolean;
}

const nameRegExp =
  /^partial\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)\/(0|[1-9]\d{0,15})\.(metadata|trace|checkpoint|report)\.(?:([\w-]+)\.)?(\w+)\.json$/;

/** Layer `partial`: metadata, traces, checkpoints and reports of attempts under way, and what of it is wanted yet. */
export async function* checkPartial(checking: Checking): AsyncGenerator<Finding, void> {
  const strangers: Finding[] = [];
  const records = listPartial(checking, strangers);
  for await (const { result } of readAhead(records, (one) => checkOne(checking, one), checking.call, AHEAD)) {
    yield* strangers.splice(0);
    yield* result;
  }
  yield* strangers;
}

async function* listPartial(checking: Checking, strangers: Finding[]): AsyncGenerator<ListedPartial, void> {
  const states = new TaskStates(checking.attempts.sorted());
  let task: { prefix: string; states: ReturnType<TaskStates['of']> } | undefined;
  let checkpoint: ListedPartial | undefined;
  try {
    for await (const object of checking.list(checking.prefixOf('partial/'))) {
      const named = parse(object);
      if (!named) {
        strangers.push(checking.foreign('partial', object.name));
        continue;
      }
      const prefix = partialPrefix(named.path);
      if (task?.prefix !== prefix) task = { prefix, states: states.of(prefix) };
      const record = { ...named, ...countsFor(named, task.states) };
      const isNext = checkpoint && record.kind === 'checkpoint' && isOfSame(checkpoint, record);
      // Of the checkpoints of an attempt only the last one keeps its content.
      if (checkpoint) yield isNext ? { ...checkpoint, counts: false } : checkpoint;
      checkpoint = record.kind === 'checkpoint' ? record : undefined;
      if (!checkpoint) yield record;
    }
    if (checkpoint) yield checkpoint;
  } finally {
    states.close();
  }
}

function parse(object: ShownObject): Omit<ListedPartial, 'counts' | 'isOrphan'> | undefined {
  const [, flow, run, step, task, number, kind, name = '', last = ''] = nameRegExp.exec(object.name) ?? [];
  const path = { flow, run, step, task } as Record<keyof TaskPath, string>;
  if (kind === undefined || !Object.values(path).every(isUserName)) return undefined;
  const attempt = Number(number);
  const isTrace = kind === 'trace';
  const isReport = kind === 'report';
  const isForm = isTrace ? isContentKey(last) && name === '' : /^\d{8}$/.test(last);
  const isNamed = isReport ? isLogName(name) : name === '';
  if (!isForm || !isNamed || !Number.isSafeInteger(attempt)) return undefined;
  const sequence = isTrace ? 0 : Number(last);
  return { object, path, attempt, kind: kind as PartialKind, name: isTrace ? last : name, sequence };
}

function isOfSame(a: ListedPartial, b: ListedPartial): boolean {
  return a.attempt === b.attempt && partialPrefix(a.path) === partialPrefix(b.path);
}

function countsFor(
  { attempt }: Pick<ListedPartial, 'attempt'>,
  states: ReturnType<TaskStates['of']>,
): Pick<ListedPartial, 'counts' | 'isOrphan'> {
  let latestDone = -1;
  for (const [number, of] of states) if (of.has('done')) latestDone = Math.max(latestDone, number);
  const own = states.get(attempt);
  return { counts: own !== undefined && attempt > latestDone && !own.has('given up'), isOrphan: !own };
}

async function checkOne(checking: Checking, listed: ListedPartial): Promise<Finding[]> {
  const { object, kind, name, counts, isOrphan } = listed;
  if (!checking.isRecent(object)) return [];
  if (isOrphan && !checking.isIncomplete && checking.isSettled(object)) {
    const about = { layer: 'partial', object: object.name, remedy: 'leave' } as const;
    return [
      checking.leftover(
        about,
        'is of an attempt of which there is no other record: they were forgotten, or are lost.',
      ),
    ];
  }
  // Reports of an attempt that is described lie there as well; those of others, and checkpoints and traces, are all that is left.
  const severity = counts ? 'lost' : 'notice';
  const owner = object.name;
  const about = { layer: 'partial', object: owner, severity, remedy: counts ? 'restore' : 'delete' } as const;
  const maxBytes = MAX_BYTES[kind];
  const read = await checking.record(about, maxBytes, (bytes, what) => decode(listed, bytes, what));
  if (read === 'gone') return [];
  if ('finding' in read) return [read.finding];
  if (!counts || !read.value) return [];
  for (const { name: row, content, refs } of read.value.artifacts) {
    const shown = kind === 'trace' ? name.slice(0, 16) : row;
    if (content) checking.wanted.content(content, { owner, kind, name: shown, copy: content.copy });
    for (const ref of refs ?? []) wantRef(checking, owner, shown, ref);
  }
  return [];
}

const MAX_BYTES: Readonly<Record<PartialKind, number>> = {
  metadata: MAX_PART_BYTES,
  trace: MAX_TRACE_BYTES,
  checkpoint: MAX_CHECKPOINT_RECORD_BYTES,
  report: MAX_REPORT_RECORD_BYTES,
};

/** The rows of a trace or a checkpoint. Versions of reports keep nothing alive. */
function decode(
  { kind, path, attempt, name, sequence }: ListedPartial,
  bytes: Uint8Array,
  what: string,
): ArtifactTable {
  switch (kind) {
    case 'metadata':
      decodeMetadataPart(bytes, what, metadataPartSubject(path, attempt, sequence));
      return { artifacts: [] };
    case 'report':
      decodeReportVersion(bytes, what, path, attempt, name, sequence);
      return { artifacts: [] };
    case 'trace':
      return decodeTrace(bytes, what, { ...attemptSubject(path, attempt), call: name }).table;
    case 'checkpoint':
      return decodeCheckpoint(bytes, what, checkpointSubject(path, attempt, sequence)).table;
  }
}
