import type { JSX } from 'preact';
import type { Failure } from '../../asked.ts';
import { isBeingMade } from '../ask.ts';
import { FailureNote } from './failure.tsx';

/** Why the index does not answer. A store that has none is no failure: it is told how one is made, or how far the one is that is being made. */
export function IndexNote({ error }: { error: Failure | undefined }): JSX.Element | null {
  if (error?.code !== 'INDEX_NOT_READY') return <FailureNote error={error} />;
  return (
    <p class="quiet" role={isBeingMade(error) ? 'status' : undefined}>
      {error.message}
      {isBeingMade(error) && ' The page asks again by itself.'}
    </p>
  );
}
