import type { JSX } from 'preact';
import { formatCount } from '../../../options/figures.ts';
import type { LineageLink } from '../../../store-index/lineage.ts';
import { useAnswer } from '../ask.ts';
import { IndexNote } from './index-note.tsx';
import { lineageRows } from './lineage-rows.ts';
import { PathLink } from './path-link.tsx';
import { Status } from './status.tsx';

const WORDS = {
  up: { title: 'Made from', none: 'Nothing that its task told of.' },
  down: { title: 'Used by', none: 'No attempt that the index knows.' },
} as const;

/** What an attempt, or a content, was made from, and who used it, as the index tells. */
export function Lineage({ of, steps }: { of: string; steps: '1' | 'all' }): JSX.Element {
  const options = { up: steps, down: steps, limit: '1000' };
  const { result, error, isLoading } = useAnswer<{ links: LineageLink[] }>({
    command: 'lineage',
    args: [of],
    options,
  });
  return (
    <>
      {isLoading && <p role="status">asking the index …</p>}
      <IndexNote error={error} />
      {result && (
        <div class="lineage">
          <Direction links={result.links} direction="up" />
          <Direction links={result.links} direction="down" />
        </div>
      )}
      {result?.links.at(-1)?.isCut && <p class="quiet">There are more: stowage lineage {of}</p>}
    </>
  );
}

function Direction(props: { links: readonly LineageLink[]; direction: 'up' | 'down' }): JSX.Element {
  const { links, direction } = props;
  const { rows, left } = lineageRows(links, direction);
  const { title, none } = WORDS[direction];
  return (
    <section>
      <h3>{title}</h3>
      {rows.length === 0 && <p class="quiet">{none}</p>}
      <ul class="tree">
        {rows.map(({ depth, link: { pathspec, use, status, label, isRepeated } }, index) => (
          <li key={index} style={{ '--indent': depth - 1 }}>
            <PathLink path={pathspec} />{' '}
            {status === undefined ? <span class="quiet">not in the index</span> : <Status status={status} />}{' '}
            <span class="quiet">
              {[
                ...(use === 'read' || use === undefined ? [] : [use]),
                ...(isRepeated ? ['as above'] : []),
              ].join(', ')}
            </span>{' '}
            {label}
          </li>
        ))}
      </ul>
      {left > 0 && <p class="quiet">{formatCount(left)} more links</p>}
    </section>
  );
}
