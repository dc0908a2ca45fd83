import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { placedAfterKey } from './graph-keys.ts';
import type { Placed } from './graph-layout.ts';

/** The links of a drawing as one stop of the keyboard. They tell by `data-id` which they are. */
export interface Arrows {
  /** The link that Tab leads to. */
  stop: string | undefined;
  ref: RefObject<SVGSVGElement | null>;
  onKeyDown(event: KeyboardEvent): void;
  onClick(event: Event): void;
}

/**
 * Lets arrows, Home and End go from link to link. Tab leads to the first one, or to where one was; and what comes in place of a link that was
 * followed has the focus after it: `fit`, `fit/0` and so on stand for each other.
 */
export function useArrows(links: readonly Placed[]): Arrows {
  const ref = useRef<SVGSVGElement>(null);
  const isFollowed = useRef(false);
  const [last, setLast] = useState<string>();
  const stop = stopOf(links, last);
  const names = JSON.stringify(links.map(({ id }) => id));
  useEffect(() => {
    if (isFollowed.current) focusOn(ref.current, stop);
    isFollowed.current = false;
  }, [names]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const from = idOf(event);
    const next = from === undefined ? undefined : placedAfterKey(links, from, event.key);
    if (next === undefined) return;
    event.preventDefault();
    setLast(next);
    focusOn(ref.current, next);
  };
  const onClick = (event: Event): void => {
    const id = idOf(event);
    if (id === undefined) return;
    isFollowed.current = true;
    setLast(id);
  };
  return { stop, ref, onKeyDown, onClick };
}

function stopOf(links: readonly Placed[], last: string | undefined): string | undefined {
  const step = last?.split('/', 1)[0];
  const same = links.find(({ id }) => id === last) ?? links.find(({ id }) => id.split('/', 1)[0] === step);
  return (same ?? links[0])?.id;
}

function focusOn(drawing: Element | null, id: string | undefined): void {
  for (const link of drawing?.querySelectorAll<SVGElement>('[data-id]') ?? [])
    if (link.dataset.id === id) link.focus();
}

/** The link that an event is of. */
function idOf({ target }: Event): string | undefined {
  return target instanceof Element ? target.closest<SVGElement>('[data-id]')?.dataset.id : undefined;
}
