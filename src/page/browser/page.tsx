import type { ComponentType, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { hrefOf, type Route, titleOf, useRoute } from './route.ts';
import { ArtifactView } from './views/artifact.tsx';
import { CacheView } from './views/cache.tsx';
import { CompareView } from './views/compare.tsx';
import { RunView } from './views/run.tsx';
import { RunsView } from './views/runs.tsx';
import { StoreView } from './views/store.tsx';
import { TaskView } from './views/task.tsx';

/** The views by the first part of the address. */
const VIEWS: Readonly<Record<string, ComponentType<Route>>> = {
  runs: RunsView,
  task: TaskView,
  artifact: ArtifactView,
  run: RunView,
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
  const place = [route.view, ...route.path].join('/');
  useChangeOfView(place, titleOf(route));
  return (
    <>
      <header>
        <a class="skip" href={location.hash || '#/runs'} onClick={skip}>
          to the content
        </a>
        <a class="home" href={hrefOf('runs')}>
          Stowage
        </a>
        <nav class="views" aria-label="views">
          {TABS.map(([view, text]) => (
            <a key={view} href={hrefOf(view)} aria-current={route.view === view ? 'page' : undefined}>
              {text}
            </a>
          ))}
        </nav>
      </header>
      <main id="main" tabIndex={-1}>
        {View ? <View key={place} {...route} /> : <p role="alert">There is no view {route.view}.</p>}
      </main>
    </>
  );
}

/** Names the document by what it shows, and has the keyboard and a screen reader begin at the heading of a view that is gone to. */
function useChangeOfView(place: string, title: string): void {
  const before = useRef(place);
  useEffect(() => {
    document.title = title;
    if (before.current === place) return;
    before.current = place;
    const heading = document.querySelector<HTMLElement>('main h1') ?? document.getElementById('main');
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [place, title]);
}

/** The address names a view, so that the link to the content cannot be one to a place in the page. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
