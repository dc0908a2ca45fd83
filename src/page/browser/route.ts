import { useEffect, useState } from 'preact/hooks';
import { namesIn, type Route, refined, routeOf, textOfNames } from './route-address.ts';

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

/**
 * What one sees of the view, as parts of the address, so that whoever opens a copy of it sees the same. What is set replaces the address and
 * adds nothing to the history; an empty text leaves a part out.
 *
 * @param isKept - `false` for what lies within something else, and is not in the address. Default `true`
 */
export function useAddress<Name extends string>(
  names: readonly Name[],
  isKept = true,
): [Readonly<Record<Name, string>>, (changes: Partial<Record<Name, string>>) => void] {
  const read = (): string => {
    const { query } = routeOf(location.hash);
    return JSON.stringify(names.map((name) => query[name] ?? ''));
  };
  const nothing = JSON.stringify(names.map(() => ''));
  const [text, setText] = useState(isKept ? read : nothing);
  useEffect(() => {
    if (!isKept) return;
    const changed = (): void => setText(read());
    addEventListener('hashchange', changed);
    changed();
    return () => removeEventListener('hashchange', changed);
  }, [names.join(), isKept]);
  const set = (changes: Partial<Record<Name, string>>): void => {
    const next = changes as Readonly<Record<string, string>>;
    if (isKept) goTo(refined(routeOf(location.hash), next), { replace: true });
    else
      setText((before) =>
        JSON.stringify(valuesIn(before).map((value, at) => next[names[at] ?? ''] ?? value)),
      );
  };
  const parts = valuesIn(text).map((value, at) => [names[at], value]);
  return [Object.fromEntries(parts) as Record<Name, string>, set];
}

/** Names that are chosen, as a part of the address, and what turns one on or off. */
export function useAddressedNames(name: string): [ReadonlySet<string>, (one: string) => void] {
  const [parts, set] = useAddress([name]);
  const turn = (one: string): void => {
    const next = new Set(namesIn(routeOf(location.hash).query[name] ?? ''));
    if (!next.delete(one)) next.add(one);
    set({ [name]: textOfNames([...next]) });
  };
  return [new Set(namesIn(parts[name] ?? '')), turn];
}

function valuesIn(text: string): string[] {
  return JSON.parse(text) as string[];
}

/** Goes to a view. What only refines the one that is shown does not add to the history. */
export function goTo(href: string, { replace = false } = {}): void {
  if (!replace) location.hash = href;
  else {
    history.replaceState(null, '', href);
    dispatchEvent(new HashChangeEvent('hashchange'));
  }
}
