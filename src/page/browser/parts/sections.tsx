import type { JSX } from 'preact';
import { type Route, refined } from '../route.ts';

/** Links to the sections of a view, of which one is shown: the one that `show` in the address names, or else the first. */
export function Sections({
  route,
  label,
  names,
}: {
  route: Route;
  label: string;
  /** The words by what stands in the address. */
  names: Readonly<Record<string, string>>;
}): JSX.Element {
  const shown = sectionOf(route, Object.keys(names));
  return (
    <nav class="sections" aria-label={label}>
      {Object.entries(names).map(([name, text], index) => (
        <a
          key={name}
          href={refined(route, { show: index === 0 ? '' : name })}
          aria-current={name === shown ? 'true' : undefined}
        >
          {text}
        </a>
      ))}
    </nav>
  );
}

/** The section that the address names, or else the first. */
export function sectionOf({ query }: Route, names: readonly string[]): string {
  return names.find((name) => name === query.show) ?? (names[0] as string);
}
