import type { JSX } from 'preact';
import { logTail } from '../../view-questions.ts';
import { useAnswer } from '../ask.ts';
import { FailureNote } from './failure.tsx';
import { Scrolls } from './scrolls.tsx';

/** The answer of `stowage log --json`, as docs/cli.md tells it. */
interface LogTexts {
  logs: { source: string; stream: string; bytes: number; text: string }[];
}

/** The last lines of an attempt's log. */
export function LogTail(props: {
  pathspec: string;
  source: string;
  stream: string;
  isOpen: boolean;
}): JSX.Element {
  const { pathspec, source, stream, isOpen } = props;
  const asked = logTail(pathspec, { source, stream });
  const { result, error, isLoading } = useAnswer<LogTexts>(asked, isOpen ? 2000 : undefined);
  return (
    <>
      <FailureNote error={error} />
      {isLoading && <p role="status">reading …</p>}
      {result?.logs.map(({ text }) => (
        <Scrolls key={pathspec} label={`the last lines of ${source} ${stream}`} tall>
          <pre class="log">{text}</pre>
        </Scrolls>
      ))}
    </>
  );
}
