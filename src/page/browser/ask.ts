import { useEffect, useState } from 'preact/hooks';
import { type Answer, type Asked, addressOf, type Failure } from '../asked.ts';
import { exported, exportedAnswer } from './exported.ts';

/** The errors that pass by themselves: what fails by one of them is asked again. */
const PASSING: ReadonlySet<string> = new Set([
  'INDEX_NOT_READY',
  'NO_SUCH_STORE',
  'SERVER_GONE',
  'STORAGE_UNAVAILABLE',
  'STORE_GONE',
]);
const AGAIN_MS = 5_000;
/** A page that is not seen asks nothing, and looks so often whether it is. */
const UNSEEN_MS = 1_000;

/** Where a question stands. What was answered last stays while it is asked again. */
export interface Asking<T> extends Answer<T> {
  isLoading: boolean;
}

/** Asks the server, or the export that the page is of; never throws but for an abort. A server that is gone is an error as others are. */
export async function ask<T>(asked: Asked, signal?: AbortSignal): Promise<Answer<T>> {
  if (exported) return exportedAnswer<T>(asked);
  try {
    const response = await fetch(`api/${addressOf(asked)}`, signal ? { signal } : {});
    return (await response.json()) as Answer<T>;
  } catch (error) {
    if (signal?.aborted) throw error;
    return { error: serverGone() };
  }
}

/** The error of a page whose server does not answer. */
export function serverGone(): Failure {
  const message =
    'stowage ui does not answer: it was ended, or is out of reach. Start it again, and open the address that it prints, which is another one.';
  return { code: 'SERVER_GONE', message };
}

/**
 * Asks, and asks again every `everyMs` while the page is seen; an export, which does not change, only once. Where there is no answer by an
 * error that passes, it is asked for again in any case.
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
        timer = setTimeout(again, everyMs ?? UNSEEN_MS);
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
      const isPassing = answer.result === undefined && PASSING.has(answer.error?.code ?? '');
      const againMs = everyMs ?? (isPassing ? AGAIN_MS : undefined);
      if (againMs !== undefined && !exported) timer = setTimeout(again, againMs);
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
