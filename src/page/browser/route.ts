import { useEffect, useState } from 'preact/hooks';
import { type Route, routeOf } from './route-address.ts';

export { hrefOf, type Route, refined, routeOf, titleOf } from './route-address.ts';

/** The route of the page's address, anew whenever that changes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = (): void => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return routeOf(hash);
}

/** Goes to a view. What only refines the one that is shown does not add to the history. */
export function goTo(href: string, { replace = false } = {}): void {
  if (!replace) location.hash = href;
  else {
    history.replaceState(null, '', href);
    dispatchEvent(new HashChangeEvent('hashchange'));
  }
}
