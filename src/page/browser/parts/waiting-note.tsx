import type { JSX } from 'preact';
import { useWaitingSeconds } from '../waiting.ts';
import { Live } from './live.tsx';

/** Says that a view waits for its store, and for how long; a screen reader is told once. */
export function WaitingNote(): JSX.Element | null {
  const seconds = useWaitingSeconds();
  if (seconds === undefined) return null;
  return (
    <aside class="waiting" aria-label="waiting">
      <Live text="Waiting for the store …" />
      <p aria-hidden="true">Waiting for the store for {seconds} s …</p>
    </aside>
  );
}
