import type { JSX } from 'preact';
import type { Failure } from '../../asked.ts';
import { NOT_EXPORTED } from '../../exported-answers.ts';

/** An error in place of what could not be shown, or beside what could. What an export lacks is none. */
export function FailureNote({ error }: { error: Failure | undefined }): JSX.Element | null {
  if (error === undefined) return null;
  if (error.code === NOT_EXPORTED)
    return (
      <p class="quiet" role="status">
        {error.message}
      </p>
    );
  return (
    <p class="failure" role="alert">
      <strong>{error.code}</strong> {error.message}
    </p>
  );
}
