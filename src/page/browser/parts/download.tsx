import type { JSX } from 'preact';
import { shell } from '../../../codec/shell-command.ts';
import { isServed } from '../../content-bounds.ts';
import type { Place } from '../../view-questions.ts';
import { exported } from '../exported.ts';
import { contentAddress } from './addresses.ts';

/** A link that saves an artifact, or a file of a directory, or the command that does where the server does not; an export has none. */
export function Download(
  props: Place & { stored?: { encoding: string; bytes: number } },
): JSX.Element | null {
  const { pathspec, artifact, entry, stored } = props;
  if (exported) return null;
  if (stored && !isServed(stored))
    return (
      <span class="quiet">
        To save it: <code>{shell`stowage get ${pathspec} ${artifact} -o ${`${artifact}.json`}`}</code>
      </span>
    );
  return (
    <a href={contentAddress(pathspec, artifact, { entry, download: true })} download>
      Download<span class="unseen"> {entry ?? artifact}</span>
    </a>
  );
}
