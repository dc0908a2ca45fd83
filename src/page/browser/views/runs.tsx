import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ageOf, countOf, formatBytes, formatCount, formatDuration } from '../../../options/figures.ts';
import { hitsText } from '../../../views/artifact-texts.ts';
import type { RunView } from '../../../views/runs.ts';
import { exported } from '../exported.ts';
import { FailureNote } from '../parts/failure.tsx';
import { FiguresNote } from '../parts/figures-note.tsx';
import { Choice, SearchBox } from '../parts/filters.tsx';
import { Live } from '../parts/live.tsx';
import { Status } from '../parts/status.tsx';
import { type Column, LongTable } from '../parts/table.tsx';
import { hrefOf, type Route, refined, useAddress } from '../route.ts';
import { namesIn, textOfNames } from '../route-address.ts';
import { changesOf, nameOf } from './run-list.ts';
import { type Figures, useRuns } from './use-runs.ts';

const SINCE = {
  '': 'any time',
  '1h': 'last hour',
  '24h': 'last day',
  '7d': 'last week',
  '30d': 'last 30 days',
};
const STATUS = { '': 'any', open: 'open', done: 'done', failed: 'failed', abandoned: 'abandoned' };

/** The runs, newest first, as far as one scrolls. */
export function RunsView(route: Route): JSX.Element {
  const { flow = '', tag = '', status = '', since = '', text = '' } = route.query;
  const [address, setAddress] = useAddress(['chosen']);
  const chosen = namesIn(address.chosen);
  const choose = (names: readonly string[]): void => setAddress({ chosen: textOfNames(names) });
  const filters = { flow, tag, status, since, text };
  const shown = useRuns(filters);
  const { runs, figures, total, isWhole, isLoadingOlder } = shown;
  const changes = useChanges(JSON.stringify(filters), shown.newest);
  const isFiltered = [tag, status, since, text].some((one) => one !== '');

  const toggle = (name: string): void =>
    choose(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name].slice(-2));
  const [a, b] = chosen;
  return (
    <div class="filling">
      <div class="title">
        <h1>Runs</h1>
        <p class="quiet">
          {shown.newest === undefined && !shown.error
            ? 'reading …'
            : isFiltered // how many pass is of those that were read: the page's own
              ? `${formatCount(runs.length)}${isWhole ? '' : '+'} of ${countOf(total, 'run')}`
              : countOf(total, 'run')}
        </p>
        {a !== undefined && (
          <p class="chosen">
            {b === undefined ? (
              <>choose another run to compare {a} with</>
            ) : (
              <a class="action" href={hrefOf('compare', [], { a, b })}>
                Compare {a} with {b}
              </a>
            )}{' '}
            <button type="button" onClick={() => choose([])}>
              none
            </button>
          </p>
        )}
      </div>
      <AboutExport />
      <div class="filters">
        <SearchBox route={route} name="text" label="Text" placeholder="names, tags, parameters" />
        <SearchBox
          route={route}
          name="flow"
          label="Flow"
          suggestions={[...new Set(runs.map((run) => run.flow))].slice(0, 50)}
        />
        <SearchBox
          route={route}
          name="tag"
          label="Tag"
          suggestions={[...new Set(runs.flatMap((run) => run.tags))].slice(0, 50)}
        />
        <Choice route={route} name="status" label="Status" names={STATUS} />
        <Choice route={route} name="since" label="Made" names={SINCE} />
        {[flow, tag, status, since, text].some((one) => one !== '') && (
          <a class="clear" href={hrefOf('runs')}>
            show all
          </a>
        )}
      </div>
      <Live text={changes} />
      <FailureNote error={shown.error} />
      {shown.newest && runs.length === 0 && <Nothing total={total} />}
      {runs.length > 0 && (
        <LongTable
          label="runs, newest first"
          columns={columnsOf(route, chosen, toggle, figures)}
          count={runs.length}
          rowAt={(index) => runs[index]}
          keyOf={nameOf}
          fills
          onKey={(key, row) => key === 'c' && !exported && toggle(nameOf(row))}
          onSeen={(_, to) => {
            if (to >= runs.length - 20) shown.loadOlder();
          }}
        />
      )}
      <p class="foot quiet">
        {isLoadingOlder ? 'loading older runs …' : isWhole ? '' : 'older ones are loaded as you scroll; '}
        {runs.length > 0 && !exported && 'key c chooses a run to compare'}
      </p>
      {runs.length > 0 && (
        <FiguresNote what="Sizes, new bytes and hits of the cache" error={shown.figuresError} />
      )}
    </div>
  );
}

function Nothing({ total }: { total: number }): JSX.Element {
  return total === 0 ? (
    <p>The store has no runs yet.</p>
  ) : (
    <p>
      None of {countOf(total, 'run')} is like that. <a href={hrefOf('runs')}>Show all</a>
    </p>
  );
}

function columnsOf(
  route: Route,
  chosen: readonly string[],
  toggle: (name: string) => void,
  figures: ReadonlyMap<string, Figures>,
): Column<RunView>[] {
  const columns: Column<RunView>[] = [
    {
      name: 'Compare',
      width: 2,
      isNarrow: true,
      cell: (run) => (
        <input
          type="checkbox"
          aria-label={`compare ${nameOf(run)}`}
          checked={chosen.includes(nameOf(run))}
          onChange={() => toggle(nameOf(run))}
        />
      ),
    },
    {
      name: 'Run',
      width: 17,
      grows: true,
      cell: ({ flow, run }) => (
        <a href={hrefOf('run', [flow, run])} title={`${flow}/${run}`}>
          {flow}/{run}
        </a>
      ),
    },
    { name: 'Status', width: 7.5, cell: ({ status }) => <Status status={status} /> },
    { name: 'Created', width: 7, cell: ({ createdAt }) => <Age at={createdAt} /> },
    {
      name: 'Took',
      width: 6.5,
      isNumber: true,
      cell: ({ durationMs }) => (durationMs === undefined ? '' : formatDuration(durationMs)),
    },
    ...figureColumns(figures),
    {
      name: 'Tags',
      width: 15,
      grows: true,
      cell: ({ tags, pinned, resumes }) => (
        <>
          {pinned && <span class="tag">pinned</span>}
          {resumes !== undefined && (
            <a class="tag" href={hrefOf('run', resumes.split('/'))}>
              resumes {resumes}
            </a>
          )}
          {tags.map((tag) => (
            <a key={tag} class="tag" href={refined(route, { tag })}>
              {tag}
            </a>
          ))}
        </>
      ),
    },
  ];
  return exported ? columns.slice(1) : columns;
}

/** What an export is, and what is not in it. */
function AboutExport(): JSX.Element | null {
  if (!exported) return null;
  const { at } = exported;
  return (
    <p class="quiet">
      Exported {ageOf(at)} (<time>{at}</time>). Comparisons, the cache, the use of the store, what tells of
      other runs, and contents to download are not in this export: <code>stowage ui</code> shows them.
    </p>
  );
}

/** Sizes, new bytes and hits, once the index has told some. */
function figureColumns(figures: ReadonlyMap<string, Figures>): Column<RunView>[] {
  if (figures.size === 0) return [];
  const column = (name: string, textOf: (one: Figures) => string): Column<RunView> => ({
    name,
    width: 6,
    isNumber: true,
    cell: (run) => {
      const told = figures.get(nameOf(run));
      return told ? textOf(told) : '';
    },
  });
  return [
    column('Size', ({ bytes }) => formatBytes(bytes)),
    column('New', ({ newBytes }) => formatBytes(newBytes)),
    column('Hits', hitsText),
  ];
}

function Age({ at }: { at: string }): JSX.Element {
  return <time title={at}>{at === '' ? '' : ageOf(at)}</time>;
}

/** What changed of itself since the last look, of the same filters. */
function useChanges(filters: string, runs: readonly RunView[] | undefined): string {
  const before = useRef<{ filters: string; runs: readonly RunView[] }>({ filters, runs: [] });
  const [changes, setChanges] = useState('');
  useEffect(() => {
    if (runs === undefined) return;
    const known = before.current.filters === filters ? before.current.runs : [];
    before.current = { filters, runs };
    const text = changesOf(known, runs);
    if (text !== '') setChanges(text);
  }, [filters, runs]);
  return changes;
}
