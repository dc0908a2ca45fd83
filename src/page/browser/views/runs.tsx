import type { JSX } from 'preact';
import { ageOf, formatDuration } from '../../../options/figures.ts';
import type { RunView } from '../../../views/runs.ts';
import { useAnswer } from '../ask.ts';
import { FailureNote } from '../parts/failure.tsx';
import { hrefOf, type Route } from '../route.ts';

/** The runs, newest first. */
export function RunsView({ query }: Route): JSX.Element {
  const { result, error } = useAnswer<{ total: number; unread: number; runs: RunView[] }>(
    { command: 'runs', args: query.flow ? [query.flow] : [] },
    5000,
  );
  return (
    <>
      <h1>Runs</h1>
      <FailureNote error={error} />
      <table>
        <thead>
          <tr>
            <th>Run</th>
            <th>Status</th>
            <th>Created</th>
            <th>Took</th>
            <th>Tags</th>
          </tr>
        </thead>
        <tbody>
          {result?.runs.map(({ flow, run, status, createdAt, durationMs, tags }) => (
            <tr key={`${flow}/${run}`}>
              <td>
                <a href={hrefOf('run', [flow, run])}>
                  {flow}/{run}
                </a>
              </td>
              <td>
                <span class={`status ${status}`}>{status}</span>
              </td>
              <td title={createdAt}>{createdAt && ageOf(createdAt)}</td>
              <td>{durationMs === undefined ? '' : formatDuration(durationMs)}</td>
              <td>{tags.join(', ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
