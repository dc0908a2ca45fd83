import { artifactKey, FLOW, runName, startOf, tagOf } from './index-scale-store.mjs';

const NAMES = ['flow', 'run', 'step', 'task', 'attempt'];
const same = (one, other) => NAMES.map((name) => `${one}.${name} = ${other}.${name}`).join(' and ');
const named = (table) => NAMES.map((name) => `${table}.${name}`).join(', ');

/** Of each task the attempt that was started last. */
const LATEST = `not exists (select 1 from attempts b where b.flow = a.flow and b.run = a.run and b.step = a.step and b.task = a.task
  and b.attempt > a.attempt)`;
/** The expression keeps a database from going through all attempts by time for the few that a condition leaves. */
const FEW = 'order by a.started_at + 0 desc, a.id desc limit 20';
const NEWEST = 'order by a.started_at desc, a.id desc limit 20';

/** Who an attempt read from, and who read from that. */
const UP = `with recursive near as (
    select ${named('a')}, 0 as depth from attempts a where a.flow = $1 and a.run = $2 and a.step = $3 and a.task = $4
    union select ${named('r')}, depth + 1 from near join attempts a on ${same('a', 'near')} join reads r on r.attempt_id = a.id
  ) select * from near`;
/** Who read from an attempt, and who read from them. */
const DOWN = `with recursive near as (
    select ${named('a')}, 0 as depth from attempts a where a.flow = $1 and a.run = $2 and a.step = $3 and a.task = $4
    union select ${named('a')}, depth + 1 from near join reads r on ${same('r', 'near')} join attempts a on a.id = r.attempt_id
  ) select * from near`;

/** Questions about a run in the middle, by the number of the run, each as one statement for both databases. */
export function questionsOf(number) {
  const run = runName(number);
  return [
    {
      what: 'the newest 20 of a step with `auc > 0.999`',
      text: `select a.* from attempts a where a.flow = $1 and a.step = $2 and ${LATEST}
        and a.id in (select attempt_id from metadata where path = 'auc' and number > $3) ${FEW}`,
      parameters: [FLOW, 'fit', 0.999],
    },
    {
      what: 'the newest 20 of a step with a tag',
      text: `select a.* from attempts a where a.step = $1 and ${LATEST}
        and a.id in (select t.id from run_tags r join attempts t on t.flow = r.flow and t.run = r.run where r.tag = $2) ${FEW}`,
      parameters: ['fit', tagOf(number)],
    },
    {
      what: 'those that have a content, by its key',
      text: `select a.* from attempts a where a.id in (select attempt_id from artifacts where key = $1) and ${LATEST} ${FEW}`,
      parameters: [artifactKey(number, 1, '7')],
    },
    {
      what: 'the newest 20 that failed since a day',
      text: `select a.* from attempts a where a.status = 'failed' and a.started_at >= $1 and ${LATEST} ${NEWEST}`,
      parameters: [startOf(number).getTime()],
    },
    {
      what: 'the newest 20 of all',
      text: `select a.* from attempts a where a.started_at is not null and ${LATEST} ${NEWEST}`,
      parameters: [],
    },
    {
      what: 'the lineage of a task, three steps up',
      text: UP,
      parameters: [FLOW, run, 'report', '7'],
    },
    {
      what: 'the lineage of a task, three steps down',
      text: DOWN,
      parameters: [FLOW, run, 'prepare', '7'],
    },
  ];
}
