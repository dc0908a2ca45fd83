import type { JSX } from 'preact';
import type { LineageLink } from '../../../store-index/lineage.ts';
import { useAnswer } from '../ask.ts';
import { IndexNote } from './index-note.tsx';
import { PathLink } from './path-link.tsx';
import { Status } from './status.tsx';

/** So many users are asked for. */
const LIMIT = 200;

/** Who used an attempt, as the index tells. */
export function UsedBy({ pathspec }: { pathspec: string }): JSX.Element {
  const options = { down: '1', limit: String(LIMIT) };
  const asked = { command: 'lineage', args: [pathspec], options };
  const { result, error, isLoading } = useAnswer<{ links: LineageLink[] }>(asked);
  const users = result?.links.filter(({ direction }) => direction === 'down') ?? [];
  return (
    <section>
      <h2>Used by</h2>
      {isLoading && <p role="status">asking the index …</p>}
      <IndexNote error={error} />
      {result && users.length === 0 && <p class="quiet">No attempt that the index knows.</p>}
      <ul class="paths">
        {users.map(({ pathspec: user, use, status, label }) => (
          <li key={user}>
            <PathLink path={user} /> {use !== 'read' && <span class="quiet">{use} </span>}
            {status !== undefined && <Status status={status} />} {label}
          </li>
        ))}
      </ul>
      {result?.links.at(-1)?.isCut && (
        <p class="quiet">There are more: stowage lineage {pathspec} --down 1</p>
      )}
    </section>
  );
}
