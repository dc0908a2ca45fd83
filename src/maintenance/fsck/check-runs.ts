import { parseRunEnd, readRunFinished, runEndName } from '../../format/run-ends.ts';
import { parseRunPin, readRunPin, runPinName } from '../../format/run-pins.ts';
import {
  createdName,
  decodeRunCreated,
  MAX_RUN_RECORD_BYTES,
  MAX_RUN_TIME_MS,
  parseRunTime,
  type RunCreated,
} from '../../format/run-records.ts';
import { isUserName } from '../../storage/names.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import type { Checking, ShownObject } from './checking.ts';
import type { Finding } from './finding.ts';

/** So many runs are read at once. */
const AHEAD = 15;

/** So many gaps between numbered records are told. */
const MAX_GAPS = 100;
const PARTS = [parseRunEnd, parseRunPin, parseRunTime] as const;

/** The objects of one run in `runs/`. */
interface ListedRun {
  flow: string;
  run: string;
  files: Map<string, ShownObject>;
}

/** Layer `runs`: how runs were created and how they ended. */
export async function* checkRuns(checking: Checking): AsyncGenerator<Finding, void> {
  const strangers: Finding[] = [];
  const runs = listRuns(checking, (name) => strangers.push(checking.foreign('runs', name)));
  for await (const { item, result } of readAhead(
    runs,
    (run) => checkRun(checking, run),
    checking.call,
    AHEAD,
  )) {
    yield* strangers.splice(0);
    yield* result.findings;
    const { flow, run, files } = item;
    if (!files.has('created.json')) continue;
    checking.runs.add(`${flow}/${run}/`);
    const { created } = result;
    if (created?.code) checking.codeSessions.add(`${created.code.session}\t${flow}\t${run}`);
  }
  yield* strangers;
}

async function* listRuns(
  checking: Checking,
  onForeign: (name: string) => void,
): AsyncGenerator<ListedRun, void> {
  let current: ListedRun | undefined;
  for await (const object of checking.list(checking.prefixOf('runs/'))) {
    const [, flow = '', run = '', file = '', ...more] = object.name.split('/');
    const isFile = file === 'created.json' || PARTS.some((parse) => parse(file) !== undefined);
    if (!isFile || more.length > 0 || !isUserName(flow) || !isUserName(run)) {
      onForeign(object.name);
      continue;
    }
    if (current?.flow !== flow || current.run !== run) {
      if (current) yield current;
      current = { flow, run, files: new Map() };
    }
    current.files.set(file, object);
  }
  if (current) yield current;
}

interface CheckedRun {
  findings: Finding[];
  created?: RunCreated;
}

async function checkRun(checking: Checking, listed: ListedRun): Promise<CheckedRun> {
  const { flow, run } = listed;
  const { storage, call } = checking;
  const findings: Finding[] = [];
  const created = await checkCreated(checking, listed, findings);
  await checkNumbered(checking, listed, findings, {
    numberOf: parseRunEnd,
    nameOf: (end) => runEndName(flow, run, end),
    read: (end) => readRunFinished(storage, flow, run, call, end),
  });
  await checkNumbered(checking, listed, findings, {
    numberOf: parseRunPin,
    nameOf: (pin) => runPinName(flow, run, pin),
    read: (pin) => readRunPin(storage, flow, run, call, pin),
  });
  return { findings, ...(created ? { created } : {}) };
}

/** Records of a run that are counted from 0, of which the highest counts. */
interface Numbered {
  numberOf: (file: string) => number | undefined;
  nameOf: (number: number) => string;
  read: (number: number) => Promise<unknown>;
}

async function checkNumbered(
  checking: Checking,
  { files }: ListedRun,
  findings: Finding[],
  { numberOf, nameOf, read }: Numbered,
): Promise<void> {
  const numbers = [...files.keys()].flatMap((file) => numberOf(file) ?? []).sort((a, b) => a - b);
  let next = 0;
  for (const number of numbers) {
    for (let missing = next; missing < Math.min(number, next + MAX_GAPS); missing++) {
      const object = nameOf(missing);
      const message = `${checking.storage.uri(object)} is missing: one of a higher number is there, and they are counted without gaps. The highest counts.`;
      findings.push(checking.found({ layer: 'runs', object }, 'missing', message));
    }
    next = number + 1;
    const severity = number === numbers.at(-1) ? 'lost' : 'damaged';
    const about = { layer: 'runs', object: nameOf(number), severity } as const;
    const examined = await checking.examine(about, () => read(number));
    if (examined !== 'gone' && 'finding' in examined) findings.push(examined.finding);
  }
}

async function checkCreated(
  checking: Checking,
  { flow, run, files }: ListedRun,
  findings: Finding[],
): Promise<RunCreated | undefined> {
  const times = [...files].flatMap(([file, object]) => (parseRunTime(file) === undefined ? [] : [object]));
  for (const time of times) {
    const filled = checking.filledMark('runs', time);
    if (filled) findings.push(filled);
  }
  const object = createdName(flow, run);
  const file = files.get('created.json');
  if (!file) {
    // Who copies a run tells its time first. A run with attempts is looked for with these.
    const isFinished = times.length < files.size;
    const isGone = !(await checking.storage.head(object, checking.call));
    if (isFinished && isGone) findings.push(createdMissing(checking, object));
    else if (isGone && times[0] && checking.isSettled(times[0]))
      findings.push(
        checking.leftover(
          { layer: 'runs', object: times[0].name, remedy: 'delete' },
          'tells when a run was created that is not there.',
        ),
      );
    return undefined;
  }
  const about = { layer: 'runs', object, severity: 'lost' } as const;
  const read = await checking.record(about, MAX_RUN_RECORD_BYTES, (bytes, what) =>
    decodeRunCreated(bytes, what, { flow, run }),
  );
  if (read === 'gone') return undefined;
  if ('finding' in read) {
    findings.push(read.finding);
    return undefined;
  }
  const toldMs = Date.parse(read.value.createdAt);
  const isNameable = toldMs >= 0 && toldMs <= MAX_RUN_TIME_MS;
  const isTold = times.length === 1 && times[0]?.name.endsWith(`/at.${toldMs}`);
  if (isNameable && !isTold && checking.isSettled(file))
    findings.push(timeFault(checking, object, toldMs, times));
  return read.value;
}

/** A run without its record. */
export function createdMissing(checking: Checking, object: string): Finding {
  const message = `${checking.storage.uri(object)} is missing: the run has other records, and its tags, parameters and code are not known any more. Restore it from a copy of the store.`;
  return checking.found({ layer: 'runs', object, severity: 'lost' }, 'missing', message);
}

/** Listings order runs by it; without it they read created.json. */
function timeFault(
  checking: Checking,
  created: string,
  toldMs: number,
  times: readonly ShownObject[],
): Finding {
  const object = `${created.slice(0, created.lastIndexOf('/'))}/at.${toldMs}`;
  const wrong = times.find(({ name }) => name !== object);
  const about = { layer: 'runs', object: wrong?.name ?? object, remedy: 'recreate' } as const;
  const uri = checking.storage.uri(about.object);
  if (wrong) {
    const message = `${uri} tells another time than created.json of its run: ${new Date(toldMs).toISOString()}. The record counts.`;
    return checking.found(about, 'contradiction', message);
  }
  const message = `${uri} is missing, which tells listings when the run was created; they read its record in place of it.`;
  return { ...checking.found(about, 'missing', message), severity: 'notice' };
}
