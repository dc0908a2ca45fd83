import type { ComponentType, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { ageOf } from '../../options/figures.ts';
import { exported } from './exported.ts';
import { CutNote } from './parts/cut-note.tsx';
import { WaitingNote } from './parts/waiting-note.tsx';
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

/** Those that every page links to. An export has the first alone. */
const TABS = [
  ['runs', 'Runs'],
  ['compare', 'Compare'],
  ['cache', 'Cache'],
  ['store', 'Store'],
] as const;
const TABS_HERE = exported ? TABS.slice(0, 1) : TABS;

/** The whole page: the bar above, and the view that the address names. */
export function Page(): JSX.Element {
  const route = useRoute();
  const isLeftOut = exported && TABS.some(([view]) => view === route.view && view !== 'runs');
  const View = isLeftOut ? LeftOut : VIEWS[route.view];
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
          {TABS_HERE.map(([view, text]) => (
            <a key={view} href={hrefOf(view)} aria-current={route.view === view ? 'page' : undefined}>
              {text}
            </a>
          ))}
        </nav>
        {exported && <span class="export quiet">exported {ageOf(exported.at)}</span>}
      </header>
      <main id="main" tabIndex={-1}>
        {View ? <View key={place} {...route} /> : <p role="alert">There is no view {route.view}.</p>}
        <CutNote place={place} />
        <WaitingNote />
      </main>
    </>
  );
}

/** In place of a view that is about more than the runs of an export. */
function LeftOut({ view }: Route): JSX.Element {
  const title = TABS.find(([name]) => name === view)?.[1];
  return (
    <>
      <h1>{title}</h1>
      <p>
        This view is not in this export. <code>stowage ui</code> shows it.
      </p>
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
