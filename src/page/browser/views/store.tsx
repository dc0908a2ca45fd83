import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Finding } from '../../../maintenance/fsck/finding.ts';
import { countOf, formatBytes } from '../../../options/figures.ts';
import { useAnswer } from '../ask.ts';
import { usePages } from '../pages.ts';
import { FailureNote } from '../parts/failure.tsx';
import { hrefOfPath } from '../parts/path-link.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
import { hrefOf, type Route } from '../route.ts';
import { LEVELS, Space } from './store-space.tsx';

/** So many rows of a table are shown, the largest, and so many findings. */
const MOST_ROWS = '500';
const MOST_FINDINGS = '200';
/** So many published names are asked for at once. */
const PUBLISHED_AT_ONCE = '200';

/** Space, and what would be freed; the soundness of the store. What reads a whole store is asked for by a button. */
export function StoreView({ query }: Route): JSX.Element {
  const flow = query.flow ?? '';
  const by = LEVELS.find((level) => level === query.by) ?? (flow === '' ? 'flow' : 'run');
  return (
    <>
      <h1>Store{flow && `: ${flow}`}</h1>
      <nav class="choices" aria-label="what each row counts">
        by
        {LEVELS.map((level) => (
          <a
            key={level}
            href={hrefOf('store', [], { flow, by: level })}
            aria-current={level === by ? 'true' : undefined}
          >
            {level}
          </a>
        ))}
        {flow && <a href={hrefOf('store')}>all flows</a>}
      </nav>
      <Space flow={flow} by={by} />
      <Published />
      <OnDemand title="What retention would free" button="Plan it (reads all records)">
        {() => <Retention />}
      </OnDemand>
      <OnDemand title="Soundness" button="Check records (reads all records, no content)">
        {() => <Check />}
      </OnDemand>
    </>
  );
}

function OnDemand({
  title,
  button,
  children,
}: {
  title: string;
  button: string;
  children: () => JSX.Element;
}): JSX.Element {
  const [isAsked, ask] = useState(false);
  return (
    <section>
      <h2>{title}</h2>
      {isAsked ? (
        children()
      ) : (
        <button type="button" onClick={() => ask(true)}>
          {button}
        </button>
      )}
    </section>
  );
}

/** The latest version of each name. */
function Published(): JSX.Element | null {
  const options = { limit: PUBLISHED_AT_ONCE };
  const { pages, error, more } = usePages<{ published: PublishedRow[]; next?: number }>({
    command: 'published',
    options,
  });
  const rows = pages.flatMap(({ published }) => published);
  if (rows.length === 0 && error === undefined) return null;
  return (
    <section>
      <h2>Published versions</h2>
      <FailureNote error={error} />
      <Scrolls label="published versions">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="number">
                Latest
              </th>
              <th scope="col">From</th>
              <th scope="col">Description</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, version, source, description }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="number">{version}</td>
                <td>{source && <a href={hrefOfPath(source)}>{source}</a>}</td>
                <td>{description}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolls>
      {more && (
        <p>
          <button type="button" onClick={more}>
            More
          </button>
        </p>
      )}
    </section>
  );
}

interface PublishedRow {
  name: string;
  version: number;
  source?: string;
  description?: string;
}

/** The answer of `stowage gc --json` without `--yes`, as far as it is shown. */
interface Plan {
  plan?: {
    runs: { flow: string; run: string; status: string; freedBytes: number; why?: string }[];
    /** The number of others. */
    more?: number;
    total: { freedBytes: number };
    deletesEverything: boolean;
  };
  collection: { condemned: Readonly<Record<string, number>>; condemnedBytes: number };
}

function Retention(): JSX.Element {
  const { result, error, isLoading } = useAnswer<Plan>({ command: 'gc', options: { limit: MOST_ROWS } });
  if (isLoading) return <p role="status">reading all records …</p>;
  const { plan, collection } = result ?? {};
  return (
    <>
      <FailureNote error={error} />
      {collection && (
        <p>
          Nothing refers to {formatBytes(collection.condemnedBytes)} any more
          {plan && `, and the runs that the policy gives up free ${formatBytes(plan.total.freedBytes)}`}. To
          delete it: <code>stowage gc --yes</code>
        </p>
      )}
      {result && !plan && (
        <p class="quiet">The store has no policy, so that no run goes: stowage policy set.</p>
      )}
      {plan && plan.runs.length > 0 && (
        <Scrolls label="runs that would go" tall>
          <table>
            <thead>
              <tr>
                <th scope="col">Run</th>
                <th scope="col">Status</th>
                <th scope="col" class="number">
                  Frees
                </th>
              </tr>
            </thead>
            <tbody>
              {plan.runs.map(({ flow, run, status, freedBytes }) => (
                <tr key={`${flow}/${run}`}>
                  <th scope="row">
                    <a href={hrefOf('run', [flow, run])}>
                      {flow}/{run}
                    </a>
                  </th>
                  <td>{status}</td>
                  <td class="number">{formatBytes(freedBytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolls>
      )}
      {plan?.more !== undefined && <p class="quiet">{countOf(plan.more, 'more run')} would go.</p>}
    </>
  );
}

function Check(): JSX.Element {
  const { result, error, isLoading } = useAnswer<{
    findings: Finding[];
    more?: number;
    summary: { isSound: boolean; isComplete: boolean; objects: number };
  }>({ command: 'fsck', options: { quick: true, limit: MOST_FINDINGS } });
  if (isLoading) return <p role="status">checking …</p>;
  return (
    <>
      {!result && <FailureNote error={error} />}
      {result && (
        <p>
          <span class={result.summary.isSound ? 'status done' : 'status failed'}>
            {result.summary.isSound ? 'Sound' : 'Not sound'}
          </span>
          ; looked at {countOf(result.summary.objects, 'object')}. Contents were not read:{' '}
          <code>stowage fsck</code> does.
        </p>
      )}
      {result && result.findings.length > 0 && (
        <ul>
          {result.findings.map(({ severity, problem, object, message }) => (
            <li key={`${problem} ${object}`}>
              <strong class={severity === 'notice' ? 'quiet' : 'failure'}>{severity}</strong> {message}
            </li>
          ))}
        </ul>
      )}
      {result?.more !== undefined && <p class="quiet">{countOf(result.more, 'more finding')}</p>}
    </>
  );
}
