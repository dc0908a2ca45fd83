import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ageOf, formatBytes, formatCount, formatDuration } from '../../../options/figures.ts';
import { typeText } from '../../../parquet/type-text.ts';
import type { AttemptSummary } from '../../../views/attempts.ts';
import type { FrameView } from '../../../views/data-frames.ts';
import type { ShownTask } from '../../../views/shown-task.ts';
import { shown as shownTask } from '../../view-questions.ts';
import { type Failure, useAnswer } from '../ask.ts';
import { exported } from '../exported.ts';
import { ArtifactTable } from '../parts/artifact-table.tsx';
import { Crumbs } from '../parts/crumbs.tsx';
import { ErrorTree } from '../parts/error-tree.tsx';
import { Fact, Facts } from '../parts/facts.tsx';
import { FailureNote } from '../parts/failure.tsx';
import { JsonTree } from '../parts/json-tree.tsx';
import { LogTail } from '../parts/log-tail.tsx';
import { PathLink } from '../parts/path-link.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
import { Status } from '../parts/status.tsx';
import { UsedBy } from '../parts/used-by.tsx';
import { shownJson } from '../parts/value-rows.ts';
import { hrefOf, type Route } from '../route.ts';
import { TaskReports } from './task-reports.tsx';

/** A task that is under way is asked for again so often; one that may be tried again, more rarely. */
const REFRESH_MS = 3000;
const REFRESH_ENDED_MS = 10_000;
/** An attempt that failed longer ago is not waited for to be tried again. */
const TRIED_AGAIN_WITHIN_MS = 60 * 60 * 1000;

/** A task: its attempts, and one of them in full. */
export function TaskView({ path }: Route): JSX.Element {
  const [everyMs, setEveryMs] = useState<number | undefined>(REFRESH_MS);
  const asked = shownTask(path.join('/'));
  const { result, error, isLoading } = useAnswer<ShownTask>(asked, everyMs);
  const shown = result?.attempts.find(({ attempt }) => attempt === result.attempt);
  const last = result?.attempts.at(-1);
  const wantedMs = last ? refreshMsOf(last) : everyMs;
  if (wantedMs !== everyMs) setEveryMs(wantedMs);
  return (
    <>
      <Crumbs names={path.slice(0, 4)} />
      <h1>{path[3]}</h1>
      {isLoading && !result && <p role="status">reading …</p>}
      <FailureNote error={error} />
      {result && shown && <Shown key={shown.attempt} task={result} attempt={shown} told={error} />}
    </>
  );
}

/** `undefined` for a task whose last attempt is done, or failed long ago. */
function refreshMsOf({ status, closedAt }: AttemptSummary): number | undefined {
  if (status === 'open') return REFRESH_MS;
  const mayGoOn = status !== 'done' && closedAt !== undefined;
  const isRecent = mayGoOn && Date.now() - Date.parse(closedAt) < TRIED_AGAIN_WITHIN_MS;
  return isRecent ? REFRESH_ENDED_MS : undefined;
}

/** A failure to read the attempt is told once. */
function Shown(props: { task: ShownTask; attempt: AttemptSummary; told: Failure | undefined }): JSX.Element {
  const { task, attempt, told } = props;
  const { flow, run, step } = task;
  const pathspec = [flow, run, step, task.task, attempt.attempt].join('/');
  const { error, failure, erased, metadata = {}, readFrom = [], artifacts, label, status } = attempt;
  return (
    <>
      {label !== undefined && <p class="label">{label}</p>}
      {task.attempts.length > 1 && <Attempts task={task} />}
      <Head attempt={attempt} />
      <FailureNote error={failure?.message === told?.message ? undefined : failure} />
      {error && <ErrorTree error={error} />}
      {erased && (
        <p class="failure">
          Erased{erased.artifacts.length > 0 && ` ${erased.artifacts.join(', ')}`}: {erased.reason}
        </p>
      )}
      {Object.keys(metadata).length > 0 && (
        <section>
          <h2>Metadata</h2>
          <JsonTree value={shownJson(metadata)} label="metadata" />
        </section>
      )}
      <section>
        <h2>Artifacts</h2>
        {artifacts.length === 0 ? (
          <p class="quiet">{status === 'open' ? 'None is seen before the attempt ends.' : 'None.'}</p>
        ) : (
          <ArtifactTable pathspec={pathspec} artifacts={artifacts} isPurged={attempt.purged === true} />
        )}
      </section>
      {task.frames.length > 0 && <Frames frames={task.frames} />}
      <TaskReports pathspec={pathspec} reports={task.reports} />
      <Logs pathspec={pathspec} logs={task.logs} isOpen={status === 'open'} />
      <Recorded task={task} />
      <section>
        <h2>Read from</h2>
        {readFrom.length === 0 && <p class="quiet">Nothing that it told of.</p>}
        <Paths paths={readFrom} />
      </section>
      {status !== 'open' && !exported && <UsedBy pathspec={pathspec} />}
    </>
  );
}

function Attempts({ task }: { task: ShownTask }): JSX.Element {
  const { flow, run, step } = task;
  return (
    <nav aria-label="attempts" class="attempts">
      <span class="quiet">Attempts</span>
      {task.attempts.map(({ attempt, status, durationMs, purged }) => (
        <a
          key={attempt}
          href={hrefOf('task', [flow, run, step, task.task, String(attempt)])}
          aria-current={attempt === task.attempt ? 'true' : undefined}
        >
          {attempt} <Status status={status} />
          {purged && ' purged'}
          {durationMs !== undefined && <span class="quiet"> {formatDuration(durationMs)}</span>}
        </a>
      ))}
    </nav>
  );
}

function Head({ attempt }: { attempt: AttemptSummary }): JSX.Element {
  const { status, startedAt, closedAt, durationMs, owner, heardAt, takenOver, hitOf, purged } = attempt;
  const isOurs = status === 'open' || status === 'abandoned';
  return (
    <Facts>
      <Fact name="Status">
        <Status status={status} />
        {purged && ', its content was given up'}
      </Fact>
      <Fact name="Attempt">{attempt.attempt}</Fact>
      {startedAt !== undefined && (
        <Fact name="Started">
          {ageOf(startedAt)} <span class="quiet">{startedAt}</span>
        </Fact>
      )}
      {closedAt !== undefined && durationMs !== undefined && (
        <Fact name="Took">
          {formatDuration(durationMs)} <span class="quiet">until {closedAt}</span>
        </Fact>
      )}
      {isOurs && owner && (
        <Fact name="By">
          process {owner.pid} on {owner.host}
          {heardAt !== undefined && <span class="quiet">, last heard {ageOf(heardAt)}</span>}
        </Fact>
      )}
      {takenOver !== undefined && (
        <Fact name="Taken over from">
          <PathLink path={takenOver} />
        </Fact>
      )}
      {hitOf !== undefined && (
        <Fact name="Cached from">
          <PathLink path={hitOf} />
        </Fact>
      )}
    </Facts>
  );
}

function Frames({ frames }: { frames: readonly FrameView[] }): JSX.Element {
  return (
    <section>
      <h2>Data frames</h2>
      {frames.map(({ artifact, uri, rows, columns = [], failure }) => (
        <div key={artifact}>
          <h3>{artifact}</h3>
          {uri !== undefined && <p class="quiet">At {uri}, which is not read here.</p>}
          <FailureNote error={failure} />
          {rows !== undefined && (
            <p>
              {formatCount(rows)} {rows === 1 ? 'row' : 'rows'} of{' '}
              {columns.map((column, index) => (
                <span key={column.name}>
                  {index > 0 && ', '}
                  {column.name} <span class="quiet">{typeText(column)}</span>
                </span>
              ))}
            </p>
          )}
        </div>
      ))}
    </section>
  );
}

function Logs(props: { pathspec: string; logs: ShownTask['logs']; isOpen: boolean }): JSX.Element | null {
  const { pathspec, logs, isOpen } = props;
  if (logs.length === 0) return null;
  return (
    <section>
      <h2>Logs</h2>
      {logs.map(({ source, stream, bytes }) => (
        <div key={`${source}.${stream}`}>
          <h3>
            {source} {stream} <span class="quiet">{formatBytes(bytes)}</span>
          </h3>
          <LogTail {...{ pathspec, source, stream, isOpen }} />
        </div>
      ))}
    </section>
  );
}

/** What was recorded for the next attempt. */
function Recorded({ task: { traces, checkpoints, unread } }: { task: ShownTask }): JSX.Element {
  return (
    <>
      {traces.length > 0 && (
        <section>
          <h2>Traces</h2>
          <Scrolls label="traces">
            <table>
              <thead>
                <tr>
                  <th>Trace</th>
                  {['Calls', 'Errors', 'Partial', 'Size'].map((head) => (
                    <th key={head} class="number">
                      {head}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {traces.map(({ trace, calls, errors, partial, bytes }) => (
                  <tr key={trace}>
                    <th scope="row">{trace}</th>
                    {[calls, errors, partial].map((count, index) => (
                      <td key={index} class="number">
                        {formatCount(count)}
                      </td>
                    ))}
                    <td class="number">{formatBytes(bytes)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scrolls>
        </section>
      )}
      {checkpoints.length > 0 && (
        <section>
          <h2>Checkpoints</h2>
          <Scrolls label="checkpoints">
            <table>
              <thead>
                <tr>
                  <th class="number">Checkpoint</th>
                  <th>Saved</th>
                  <th>Type</th>
                  <th class="number">Size</th>
                </tr>
              </thead>
              <tbody>
                {checkpoints.map(({ checkpoint, savedAt, type, bytes }) => (
                  <tr key={checkpoint}>
                    <td class="number">{checkpoint}</td>
                    <td title={savedAt}>{ageOf(savedAt)}</td>
                    <td>{type}</td>
                    <td class="number">{formatBytes(bytes)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scrolls>
        </section>
      )}
      {unread > 0 && <p class="quiet">{formatCount(unread)} more records of traces and checkpoints</p>}
    </>
  );
}

function Paths({ paths }: { paths: readonly string[] }): JSX.Element {
  const [drawn, setDrawn] = useState(50);
  return (
    <ul class="paths">
      {paths.slice(0, drawn).map((path) => (
        <li key={path}>
          <PathLink path={path} />
        </li>
      ))}
      {paths.length > drawn && (
        <li>
          <button type="button" onClick={() => setDrawn(drawn + 500)}>
            {formatCount(paths.length - drawn)} more
          </button>
        </li>
      )}
    </ul>
  );
}
