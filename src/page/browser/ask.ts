import { useEffect, useState } from 'preact/hooks';
import { type Answer, type Asked, addressOf, type Failure } from '../asked.ts';
import { noteCut } from './cut-answers.ts';
import { exported, exportedAnswer } from './exported.ts';
import { waitedFor } from './waiting.ts';

/** The errors that pass by themselves: what fails by one of them is asked again. */
const PASSING: ReadonlySet<string> = new Set([
  'NO_SUCH_STORE',
  'SERVER_GONE',
  'STORAGE_UNAVAILABLE',
  'STORE_GONE',
]);
export const AGAIN_MS = 5_000;

/** Where a question stands. What was answered last stays while it is asked again. */
export interface Asking<T> extends Answer<T> {
  isLoading: boolean;
}

/** A page that is not seen asks nothing, and looks so often whether it is. */
const UNSEEN_MS = 1_000;
/** An index that is being made is asked again after so long, and so many times at most: about ten minutes. */
const INDEX_MS = 3_000;
const MOST_INDEX_ASKS = 120;

/** True of an error that passes by itself. */
export function isPassing(error: Failure | undefined): boolean {
  return PASSING.has(error?.code ?? '');
}

/** True of an index that is being made, of which the server tells how far it is; of one that nobody makes it does not. */
export function isBeingMade(error: Failure | undefined): boolean {
  return error?.code === 'INDEX_NOT_READY' && error.details?.itemsDone !== undefined;
}

/** Asks the server, or the export that the page is of; never throws but for an abort. A server that is gone is an error as others are. */
export async function ask<T>(asked: Asked, signal?: AbortSignal): Promise<Answer<T>> {
  if (exported) return exportedAnswer<T>(asked);
  try {
    const answer = await waitedFor(fetched<T>(asked, signal));
    noteCut(asked, answer.result);
    return answer;
  } catch (error) {
    if (signal?.aborted) throw error;
    return { error: serverGone() };
  }
}

async function fetched<T>(asked: Asked, signal: AbortSignal | undefined): Promise<Answer<T>> {
  const response = await fetch(`api/${addressOf(asked)}`, signal ? { signal } : {});
  return (await response.json()) as Answer<T>;
}

/** The error of a page whose server does not answer. */
export function serverGone(): Failure {
  const message =
    'stowage ui does not answer: it was ended, or is out of reach. Start it again, and open the address that it prints, which is another one.';
  return { code: 'SERVER_GONE', message };
}

/**
 * Asks, and asks again every `everyMs` while the page is seen; an export, which does not change, only once. Where there is no answer by an
 * error that passes, or while the index is being made that would tell, it is asked for again in any case.
 *
 * @param asked - `undefined` where there is nothing to ask yet
 */
export function useAnswer<T>(asked: Asked | undefined, everyMs?: number): Asking<T> {
  const [state, setState] = useState<{ address: string } & Asking<T>>({ address: '', isLoading: true });
  const address = asked === undefined ? '' : addressOf(asked);
  useEffect(() => {
    if (asked === undefined) return;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let indexAsks = 0;
    const again = async (): Promise<void> => {
      if (document.visibilityState === 'hidden') {
        timer = setTimeout(again, everyMs ?? UNSEEN_MS);
        return;
      }
      const answer = await ask<T>(asked, ending.signal).catch(() => undefined);
      if (answer === undefined || ending.signal.aborted) return;
      indexAsks = isBeingMade(answer.error) ? indexAsks + 1 : 0;
      const isLate = indexAsks >= MOST_INDEX_ASKS;
      setState((before) => ({
        ...(answer.result === undefined && before.address === address ? before : {}),
        ...answer,
        ...(isLate && answer.error ? { error: notAskedAgain(answer.error) } : {}),
        address,
        isLoading: false,
      }));
      const isGone = answer.result === undefined && isPassing(answer.error);
      const otherwiseMs = everyMs ?? (isGone ? AGAIN_MS : undefined);
      const pauseMs = indexAsks > 0 && !isLate ? INDEX_MS : otherwiseMs;
      if (pauseMs !== undefined && !exported) timer = setTimeout(again, pauseMs);
    };
    void again();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [address, everyMs]);
  if (asked === undefined) return { isLoading: false };
  return state.address === address ? state : { isLoading: true };
}

function notAskedAgain({ code, message }: Failure): Failure {
  return { code, message: `${message} Reload the page to ask again.` };
}

export type { Failure };
