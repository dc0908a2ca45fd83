import { useRef, useState } from 'preact/hooks';
import { type Asked, addressOf, type Failure } from '../asked.ts';
import { ask, useAnswer } from './ask.ts';

/** A list that comes page by page. */
export interface Pages<T> {
  /** The answers so far, in their order; none before the first. */
  pages: readonly T[];
  isLoading: boolean;
  error: Failure | undefined;
  /** Asks for the next page; `undefined` where there is none, or it is asked for already. */
  more: (() => void) | undefined;
}

/**
 * Asks for the first page of a list at once, and for each next one (`next`, `--offset`) as it is wanted.
 *
 * @param asked - `undefined` where there is nothing to ask yet
 */
export function usePages<T extends { next?: number }>(asked: Asked | undefined): Pages<T> {
  const address = asked === undefined ? '' : addressOf(asked);
  const first = useAnswer<T>(asked);
  const [, draw] = useState({});
  const empty = { address, later: [] as T[], isLoading: false, error: undefined as Failure | undefined };
  const kept = useRef(empty);
  if (kept.current.address !== address) kept.current = empty;
  const now = kept.current;
  const pages = first.result ? [first.result, ...now.later] : [];
  const next = pages.at(-1)?.next;
  const load = async (of: Asked, offset: number): Promise<void> => {
    now.isLoading = true;
    draw({});
    const { result, error } = await ask<T>({
      ...of,
      options: { ...of.options, offset: String(offset) },
    });
    now.isLoading = false;
    now.error = error;
    if (result) now.later.push(result);
    draw({});
  };
  return {
    pages,
    isLoading: first.isLoading || now.isLoading,
    error: first.error ?? now.error,
    more:
      asked === undefined || next === undefined || now.isLoading ? undefined : () => void load(asked, next),
  };
}
