import { useEffect, useState } from 'preact/hooks';
import { type Answer, type Asked, addressOf, type Failure } from '../asked.ts';
import { noteCut } from './cut-answers.ts';
import { exported, exportedAnswer } from './exported.ts';

/** Where a question stands. What was answered last stays while it is asked again. */
export interface Asking<T> extends Answer<T> {
  isLoading: boolean;
}

/** Asks the server, or the export that the page is of; never throws but for an abort. A server that is gone is an error as others are. */
export async function ask<T>(asked: Asked, signal?: AbortSignal): Promise<Answer<T>> {
  if (exported) return exportedAnswer<T>(asked);
  try {
    const response = await fetch(`api/${addressOf(asked)}`, signal ? { signal } : {});
    const answer = (await response.json()) as Answer<T>;
    noteCut(asked, answer.result);
    return answer;
  } catch (error) {
    if (signal?.aborted) throw error;
    return { error: { code: 'SERVER_GONE', message: 'stowage ui does not answer: was it ended?' } };
  }
}

/**
 * Asks, and asks again every `everyMs` while the page is seen; an export, which does not change, only once.
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
    const again = async (): Promise<void> => {
      if (document.visibilityState === 'hidden') {
        timer = setTimeout(again, everyMs);
        return;
      }
      const answer = await ask<T>(asked, ending.signal).catch(() => undefined);
      if (answer === undefined || ending.signal.aborted) return;
      setState((before) => ({
        ...(answer.result === undefined && before.address === address ? before : {}),
        ...answer,
        address,
        isLoading: false,
      }));
      if (everyMs !== undefined && !exported) timer = setTimeout(again, everyMs);
    };
    void again();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [address, everyMs]);
  return state.address === address ? state : { isLoading: asked !== undefined };
}

export type { Failure };
