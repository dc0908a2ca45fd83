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

/** Asks for the first page of a list at once, and for each next one (`next`, `--offset`) as it is wanted. */
export function usePages<T extends { next?: number }>(asked: Asked): Pages<T> {
  const address = addressOf(asked);
  const first = useAnswer<T>(asked);
  const [, draw] = useState({});
  const empty = { address, later: [] as T[], isLoading: false, error: undefined as Failure | undefined };
  const kept = useRef(empty);
  if (kept.current.address !== address) kept.current = empty;
  const now = kept.current;
  const pages = first.result ? [first.result, ...now.later] : [];
  const next = pages.at(-1)?.next;
  const load = async (offset: number): Promise<void> => {
    now.isLoading = true;
    draw({});
    const { result, error } = await ask<T>({
      ...asked,
      options: { ...asked.options, offset: String(offset) },
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
    more: next === undefined || now.isLoading ? undefined : () => void load(next),
  };
}
