import type { JSX } from 'preact';
import type { Place } from '../../view-questions.ts';
import { exported } from '../exported.ts';
import { contentAddress } from './addresses.ts';

/** A link that saves an artifact, or a file of a directory; an export has none. */
export function Download({ pathspec, artifact, entry }: Place): JSX.Element | null {
  if (exported) return null;
  return (
    <a href={contentAddress(pathspec, artifact, { entry, download: true })} download>
      Download<span class="unseen"> {entry ?? artifact}</span>
    </a>
  );
}
