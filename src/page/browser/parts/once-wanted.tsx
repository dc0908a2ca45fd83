import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { formatBytes } from '../../../options/figures.ts';
import { MAX_ANSWER_BYTES } from '../../content-bounds.ts';

/** What loads some bytes, or in its place, where they are many, a button that has them loaded: neither a view that is opened nor an address that somebody was given does. */
export function OnceWanted(props: { bytes: number; name: string; children: ComponentChildren }): JSX.Element {
  const { bytes, name, children } = props;
  const [isWanted, want] = useState(bytes <= MAX_ANSWER_BYTES);
  if (isWanted) return <>{children}</>;
  return (
    <p>
      It takes {formatBytes(bytes)}, and is loaded once you ask for it:{' '}
      <button type="button" onClick={() => want(true)}>
        Load {name}
      </button>
    </p>
  );
}
