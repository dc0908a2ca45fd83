import type { JSX } from 'preact';

/** Tells a screen reader what changed by itself. It is read whenever it is another text: keep it short, and free of clocks. */
export function Live({ text }: { text: string }): JSX.Element {
  return (
    <p class="unseen" role="status">
      {text}
    </p>
  );
}
