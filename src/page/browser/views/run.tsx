import type { JSX } from 'preact';
import { ageOf, countOf, formatBytes, formatCount, formatDuration } from '../../../options/figures.ts';
import type { Failure } from '../../../page/asked.ts';
import type { BriefRun } from '../../../views/run-brief.ts';
import type { RunSteps } from '../../../views/step-sums.ts';
import { isSmallRun, stepsOf } from '../../view-questions.ts';
import { useAnswer } from '../ask.ts';
import { exported } from '../exported.ts';
import { Crumbs } from '../parts/crumbs.tsx';
import { Fact, Facts } from '../parts/facts.tsx';
import { FailureNote } from '../parts/failure.tsx';
import { Choice, SearchBox } from '../parts/filters.tsx';
import { Live } from '../parts/live.tsx';
import { PathLink } from '../parts/path-link.tsx';
import { RunError } from '../parts/run-error.tsx';
import { Sections, sectionOf } from '../parts/sections.tsx';
import { STATUSES, Status } from '../parts/status.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { hrefOf, type Route } from '../route.ts';
import { RunCode } from './run-code.tsx';
import { RunGraph } from './run-graph.tsx';
import { RunLogs } from './run-logs.tsx';
import { isWanted, type StepRow, stepRows, type TaskRow } from './run-tasks.ts';
import { RunTimeline } from './run-timeline.tsx';
import { refreshMsOf, useRun } from './use-run.ts';

const SECTIONS = { tasks: 'Tasks', graph: 'Graph', timeline: 'Timeline', logs: 'Logs' };
const CODE = { code: 'Code' };
const STATUS_NAMES = {
  '': 'any',
  ...Object.fromEntries(STATUSES.map((status) => [status, status])),
  cached: 'cached',
  'taken over': 'taken over',
};

/** A run: what it was made with, how it went, and its steps and tasks. */
export function RunView(route: Route): JSX.Element {
  const [flow = '', run = ''] = route.path;
  const { result, error, isLoading } = useRun(`${flow}/${run}`);
  // An export has none of its files.
  const sections = result?.code && !exported ? { ...SECTIONS, ...CODE } : SECTIONS;
  const shown = sectionOf(route, Object.keys(sections));
  const isOfSteps = shown === 'graph' || shown === 'timeline';
  const sums = useAnswer<RunSteps>(
    isOfSteps && result ? stepsOf(`${flow}/${run}`) : undefined,
    result?.status === 'open' ? refreshMsOf(result) : undefined,
  );
  const steps = result ? stepRows(result, sums.result?.steps) : [];
  // Of few tasks the sums are there at once; a large run is drawn before all of its tasks were read.
  const isDrawn = steps.length > 0 && (sums.result !== undefined || (result && !isSmallRun(result)));
  return (
    <>
      <Crumbs names={[flow, run]} />
      <div class="title">
        <h1>{run}</h1>
        {result && <Status status={result.status} />}
        {isLoading && <p role="status">reading …</p>}
      </div>
      <FailureNote error={error} />
      {sums.error?.message !== error?.message && <FailureNote error={sums.error} />}
      {result && (
        <>
          <Live text={`${countOf(result.total, 'task')}, run is ${result.status}`} />
          <Head run={result} told={error} />
          <Sections route={route} label="sections of the run" names={sections} />
          {steps.length === 0 && shown !== 'logs' && shown !== 'code' && <p>No tasks yet.</p>}
          {steps.length > 0 && shown === 'tasks' && <Tasks route={route} run={result} steps={steps} />}
          {isOfSteps && sums.isLoading && <p role="status">adding up the steps …</p>}
          {isDrawn && shown === 'graph' && <RunGraph route={route} run={result} steps={steps} />}
          {isDrawn && shown === 'timeline' && <RunTimeline steps={steps} />}
          {shown === 'code' && <RunCode run={`${flow}/${run}`} />}
        </>
      )}
      {shown === 'logs' && (
        <RunLogs route={route} steps={steps.map(({ step }) => step)} told={error?.message} />
      )}
    </>
  );
}

/** A failure to read the run's record is told once. */
function Head({ run, told }: { run: BriefRun; told: Failure | undefined }): JSX.Element {
  const { createdAt, finishedAt, durationMs, owner, heardAt, pinned, tags, parameters, parents } = run;
  const { resumes, rerun = [], rawDataPath, code, error, failure } = run;
  const given = Object.entries(parameters);
  return (
    <>
      <FailureNote error={failure?.message === told?.message ? undefined : failure} />
      {error && <RunError error={error} />}
      <div class="columns">
        <Facts>
          <Fact name="made">{createdAt && `${ageOf(createdAt)} (${createdAt})`}</Fact>
          <Fact name="ended">{finishedAt && `${ageOf(finishedAt)} (${finishedAt})`}</Fact>
          <Fact name="took">{durationMs === undefined ? undefined : formatDuration(durationMs)}</Fact>
          <Fact name="by">{owner && `process ${owner.pid} on ${owner.host}`}</Fact>
          <Fact name="last heard">{heardAt && `${ageOf(heardAt)} (${heardAt})`}</Fact>
          <Fact name="pinned">
            {pinned && `${ageOf(pinned.at)}${pinned.reason ? `: ${pinned.reason}` : ''}`}
          </Fact>
          <Fact name="tags">
            {tags.length > 0 &&
              tags.map((tag) => (
                <a key={tag} class="tag" href={hrefOf('runs', [], { tag })}>
                  {tag}
                </a>
              ))}
          </Fact>
          <Fact name="parents">
            {parents.length > 0 &&
              parents.map((parent) => (
                <span key={parent} class="item">
                  <PathLink path={parent} />
                </span>
              ))}
          </Fact>
          <Fact name="resumes">
            {resumes !== undefined && (
              <>
                <PathLink path={resumes} />
                {rerun.length > 0 && `, but for ${rerun.join(', ')}`}{' '}
                {!exported && (
                  <a href={hrefOf('compare', [], { a: resumes, b: `${run.flow}/${run.run}` })}>compare</a>
                )}
              </>
            )}
          </Fact>
          <Fact name="content at">{rawDataPath}</Fact>
          <Fact name="code">
            {code && (
              <>
                {exported ? (
                  code.name
                ) : (
                  <a href={hrefOf('run', [run.flow, run.run], { show: 'code' })}>{code.name}</a>
                )}
                , {countOf(code.fileCount, 'file')}, {formatBytes(code.size)},{' '}
                <span class="digest">{code.digest.slice(0, 12)}</span>
              </>
            )}
          </Fact>
        </Facts>
        {given.length > 0 && (
          <section>
            <h2>Parameters</h2>
            <Facts>
              {given.map(([name, value]) => (
                <Fact key={name} name={name}>
                  <code>{JSON.stringify(value)}</code>
                </Fact>
              ))}
            </Facts>
          </section>
        )}
      </div>
    </>
  );
}

const TASK_COLUMNS: readonly Column<TaskRow>[] = [
  {
    name: 'Task',
    width: 15,
    grows: true,
    order: ({ step, task }) => `${step}/${task}`,
    cell: ({ path, step, task, label }) => (
      <>
        <a href={hrefOf('task', path.split('/'))} title={path}>
          {step}/{task}
        </a>{' '}
        {label && <span class="quiet">{label}</span>}
      </>
    ),
  },
  {
    name: 'Status',
    width: 7.5,
    order: ({ status }) => status,
    cell: ({ status }) => <Status status={status} />,
  },
  {
    name: 'Tries',
    width: 4.5,
    isNumber: true,
    order: ({ started }) => started,
    cell: ({ started }) => formatCount(started),
  },
  {
    name: 'Took',
    width: 6.5,
    isNumber: true,
    order: ({ durationMs }) => durationMs,
    cell: ({ durationMs }) => (durationMs === undefined ? '' : formatDuration(durationMs)),
  },
  {
    name: 'Artifacts',
    width: 6,
    isNumber: true,
    order: ({ artifacts }) => artifacts,
    cell: ({ artifacts }) => formatCount(artifacts),
  },
  {
    name: 'Size',
    width: 6,
    isNumber: true,
    order: ({ bytes }) => bytes,
    cell: ({ bytes }) => formatBytes(bytes),
  },
  {
    name: 'From, or why not',
    width: 16,
    grows: true,
    cell: ({ origin, error }) =>
      origin ? (
        <>
          {origin.how} from <PathLink path={origin.path} />
        </>
      ) : (
        (error ?? '')
      ),
  },
];

/** The tasks that the address asks for, in a table. */
function Tasks(props: { route: Route; run: BriefRun; steps: readonly StepRow[] }): JSX.Element {
  const { route, run, steps } = props;
  const { step = '', status = '', text = '' } = route.query;
  const all = steps.flatMap(({ tasks }) => tasks);
  const rows = all.filter((row) => isWanted(row, step, status, text));
  return (
    <section>
      <div class="filters">
        <SearchBox route={route} name="text" label="Text" placeholder="names, labels, errors" />
        <Choice
          route={route}
          name="step"
          label="Step"
          names={{ '': 'all', ...Object.fromEntries(steps.map((one) => [one.step, one.step])) }}
        />
        <Choice route={route} name="status" label="Status" names={STATUS_NAMES} />
        <p class="quiet told" role="status">
          {/* How many pass a filter the page counts itself: it filters what it has read. */}
          {rows.length === run.total
            ? countOf(run.total, 'task')
            : `${formatCount(rows.length)} of ${countOf(run.total, 'task')}`}
        </p>
      </div>
      {rows.length > 0 && (
        <Table label="tasks" rows={rows} columns={TASK_COLUMNS} keyOf={({ path }) => path} />
      )}
    </section>
  );
}
