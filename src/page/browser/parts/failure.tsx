import type { JSX } from 'preact';
import type { Failure } from '../../asked.ts';

/** An error in place of what could not be shown, or beside what could. */
export function FailureNote({ error }: { error: Failure | undefined }): JSX.Element | null {
  if (error === undefined) return null;
  return (
    <p class="failure" role="alert">
      <strong>{error.code}</strong> {error.message}
    </p>
  );
}
