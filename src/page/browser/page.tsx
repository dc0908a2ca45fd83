import type { ComponentType, JSX } from 'preact';
import { hrefOf, type Route, useRoute } from './route.ts';
import { CacheView } from './views/cache.tsx';
import { CompareView } from './views/compare.tsx';
import { RunsView } from './views/runs.tsx';
import { StoreView } from './views/store.tsx';

/** The views by the first part of the address. */
const VIEWS: Readonly<Record<string, ComponentType<Route>>> = {
  runs: RunsView,
  compare: CompareView,
  cache: CacheView,
  store: StoreView,
};

/** Those that every page links to. */
const TABS = [
  ['runs', 'Runs'],
  ['compare', 'Compare'],
  ['cache', 'Cache'],
  ['store', 'Store'],
] as const;

/** The whole page: the bar above, and the view that the address names. */
export function Page(): JSX.Element {
  const route = useRoute();
  const View = VIEWS[route.view];
  return (
    <>
      <a class="skip" href="#main">
        to the content
      </a>
      <header>
        <a class="home" href={hrefOf('runs')}>
          Stowage
        </a>
        <nav aria-label="views">
          {TABS.map(([view, text]) => (
            <a key={view} href={hrefOf(view)} aria-current={route.view === view ? 'page' : undefined}>
              {text}
            </a>
          ))}
        </nav>
      </header>
      <main id="main" tabIndex={-1}>
        {View ? <View key={route.view} {...route} /> : <p role="alert">There is no view {route.view}.</p>}
      </main>
    </>
  );
}
