import type { JSX } from 'preact';
import type { Failure } from '../../asked.ts';
import { FailureNote } from './failure.tsx';

/** Why the figures of an index are not shown beside the rest: one that is not there is told with how it is made. `what` begins a sentence. */
export function FiguresNote({
  what,
  error,
}: {
  what: string;
  error: Failure | undefined;
}): JSX.Element | null {
  if (error?.code !== 'INDEX_NOT_READY') return <FailureNote error={error} />;
  return (
    <p class="foot quiet">
      {what} are asked of an index. {error.message}
    </p>
  );
}
