import { useEffect, useState } from 'preact/hooks';

/** A question that waits for longer is told. */
const PATIENCE_MS = 2_000;
const LOOK_EVERY_MS = 500;

/** Questions without an answer yet. */
const pending = new Set<{ askedAtMs: number }>();

/** Counts what the server is asked as waiting until it has answered. */
export async function waitedFor<T>(answer: Promise<T>): Promise<T> {
  const question = { askedAtMs: performance.now() };
  pending.add(question);
  try {
    return await answer;
  } finally {
    pending.delete(question);
  }
}

/** The time that the longest of the questions has waited, in whole seconds; `undefined` while none waits for long. */
export function useWaitingSeconds(): number | undefined {
  const [seconds, setSeconds] = useState<number>();
  useEffect(() => {
    const look = (): void => {
      const firstAtMs = Math.min(...[...pending].map(({ askedAtMs }) => askedAtMs));
      const ms = performance.now() - firstAtMs; // below all numbers where none waits
      setSeconds(ms < PATIENCE_MS ? undefined : Math.floor(ms / 1000));
    };
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return seconds;
}
