import type { JSX } from 'preact';
import type { RecordedError } from '../../../format/session-files.ts';

/** An error with the stacks of it, its causes and its members, folded away. */
export function RunError({ error }: { error: RecordedError }): JSX.Element {
  return (
    <div class="failure">
      <strong>{error.name}</strong> {error.message}
      <details>
        <summary>Stack</summary>
        <pre class="stack">{linesOf(error, '').join('\n')}</pre>
      </details>
    </div>
  );
}

/** The stacks of an error and of those behind it, each further in. */
function linesOf({ name, message, stack, cause, errors = [] }: RecordedError, indent: string): string[] {
  const own = (stack ?? `${name}: ${message}`).split('\n').map((line) => indent + line);
  const causes = cause ? [`${indent}caused by`, ...linesOf(cause, `${indent}  `)] : [];
  return [
    ...own,
    ...causes,
    ...errors.flatMap((one) => [`${indent}of which`, ...linesOf(one, `${indent}  `)]),
  ];
}
