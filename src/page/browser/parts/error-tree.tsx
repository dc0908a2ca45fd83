import type { JSX } from 'preact';
import type { RecordedError } from '../../../format/session-files.ts';
import { errorLine } from '../../../views/artifact-texts.ts';
import { withoutHead } from './stack.ts';

/** Causes and members behind so many others are counted, not shown. */
const MAX_DEPTH = 20;

/** An error with its stack, its causes and members. */
export function ErrorTree({ error, how = '' }: { error: RecordedError; how?: string }): JSX.Element {
  return <OneError error={error} how={how} depth={0} />;
}

function OneError({ error, how, depth }: { error: RecordedError; how: string; depth: number }): JSX.Element {
  const { stack, cause, errors = [], recoverable } = error;
  const frames = withoutHead(error);
  return (
    <div class="error-tree">
      <p class="failure">
        {how && <span class="quiet">{how} </span>}
        {errorLine(error)}
        {recoverable !== undefined && (
          <span class="quiet">
            {recoverable ? ' (trying again may help)' : ' (trying again does not help)'}
          </span>
        )}
      </p>
      {stack !== undefined && frames !== '' && (
        <details open={depth === 0}>
          <summary>Stack</summary>
          <pre class="stack">{frames}</pre>
        </details>
      )}
      {depth < MAX_DEPTH ? (
        <>
          {errors.map((member, index) => (
            <OneError key={index} error={member} how="of which" depth={depth + 1} />
          ))}
          {cause && <OneError error={cause} how="caused by" depth={depth + 1} />}
        </>
      ) : (
        (cause || errors.length > 0) && <p class="quiet">… and more causes: stowage show --stack</p>
      )}
    </div>
  );
}
