import type { RecordedError } from '../../../format/session-files.ts';
import { errorLine } from '../../../views/artifact-texts.ts';

/** The stack without the message that it repeats. */
export function withoutHead(error: RecordedError): string {
  const { stack = '' } = error;
  const head = errorLine(error);
  const rest = stack.startsWith(head) ? stack.slice(head.length) : stack;
  return rest
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim())
    .join('\n');
}
