/** A view with what it shows: the part of the address behind `#`, so that it can be shared and gone back to. */
export interface Route {
  /** `runs`, `run`, `task`; see `VIEWS`. */
  view: string;
  /** The parts of a path, decoded: `['Train', 'r1', 'fit', '0']`. */
  path: readonly string[];
  /** Filters and choices. */
  query: Readonly<Record<string, string>>;
}

/** `#/run/Train/r1?step=fit` */
export function hrefOf(
  view: string,
  path: readonly string[] = [],
  query: Record<string, string> = {},
): string {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  const parts = [view, ...path].map(encodeURIComponent).join('/');
  return `#/${parts}${search.size === 0 ? '' : `?${search}`}`;
}

/** The same view with other filters; an empty one goes. */
export function refined({ view, path, query }: Route, changes: Readonly<Record<string, string>>): string {
  return hrefOf(view, path, { ...query, ...changes });
}

/** Names as a part of an address, whatever is in them. */
export function textOfNames(names: readonly string[]): string {
  return names.map(encodeURIComponent).join(',');
}

/** The names of {@link textOfNames}; none of what it does not write. */
export function namesIn(text: string): string[] {
  try {
    return text.split(',').flatMap((name) => (name === '' ? [] : decodeURIComponent(name)));
  } catch {
    return []; // a `%` that encodes nothing
  }
}

/** A whole number of an address; `undefined` for what is none. */
export function numberIn(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** The title of a view, as tabs and bookmarks show it: `Train/r1 - run - Stowage`. */
export function titleOf({ view, path }: Route): string {
  return [path.join('/'), view, 'Stowage'].filter((part) => part !== '').join(' - ');
}

/** The route of an address; that of the runs for one that means nothing. */
export function routeOf(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  try {
    const [view = '', ...parts] = path.split('/').map(decodeURIComponent);
    return { view: view || 'runs', path: parts, query: Object.fromEntries(new URLSearchParams(search)) };
  } catch {
    return { view: 'runs', path: [], query: {} }; // a `%` that encodes nothing
  }
}
