import type { JSX } from 'preact';
import { hrefOfPath } from './path-link.tsx';

/** What lies above the last of the names of a path, as links: `['Train', 'r1', 'fit', '0']` leads to the flow, the run and the step. */
export function Crumbs({ names }: { names: readonly string[] }): JSX.Element | null {
  if (names.length < 2) return null;
  return (
    <nav class="crumbs" aria-label="path">
      <ol>
        {names.slice(0, -1).map((name, index) => {
          const path = names.slice(0, index + 1).join('/');
          return (
            <li key={path}>
              <a href={hrefOfPath(path)}>{name}</a>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
