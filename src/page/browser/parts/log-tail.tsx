import type { JSX } from 'preact';
import { shell } from '../../../codec/shell-command.ts';
import { logTail } from '../../view-questions.ts';
import { useAnswer } from '../ask.ts';
import { FailureNote } from './failure.tsx';
import { Scrolls } from './scrolls.tsx';

function wholeLog(pathspec: string, source: string, stream: string): string {
  return shell`stowage log ${pathspec} --source ${source} --stream ${stream}`;
}

/** The answer of `stowage log --json`, as docs/cli.md tells it. */
interface LogTexts {
  logs: { source: string; stream: string; bytes: number; text: string; isCut?: true }[];
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
      {result?.logs.map(({ text, isCut }) => (
        <div key={pathspec}>
          <Scrolls label={`the last lines of ${source} ${stream}`} tall>
            <pre class="log">{text}</pre>
          </Scrolls>
          {isCut && (
            <p class="cut">
              Long lines are cut. All of it: <code>{wholeLog(pathspec, source, stream)}</code>
            </p>
          )}
        </div>
      ))}
    </>
  );
}
