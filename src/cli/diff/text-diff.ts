import { structuredPatch } from 'diff';
import { countOf, formatCount } from '../../options/figures.ts';
import type { TextDiff } from '../../views/comparison-json.ts';
import { commonItems, MAX_EDITS } from './alignment.ts';
import { ValueIds } from './value-ids.ts';

const CONTEXT_LINES = 2;
/** The longest line of a hunk. */
const MAX_LINE_LENGTH = 400;

/** Keeps the hunks up to the first `limit` lines that were added or removed. */
export function diffTexts(a: string, b: string, limit: number): TextDiff {
  const [linesOfA, linesOfB] = [linesOf(a), linesOf(b)];
  const sizes = { a: linesOfA.length, b: linesOfB.length };
  const options = { context: CONTEXT_LINES, maxEditLength: MAX_EDITS };
  const patch = structuredPatch('', '', a, b, '', '', options);
  if (!patch) {
    const ids = new ValueIds();
    return { ...sizes, hunks: [], common: commonItems(ids.ofAll(linesOfA), ids.ofAll(linesOfB)) };
  }
  const counts = { '+': 0, '-': 0 };
  const hunks: TextDiff['hunks'] = [];
  for (const { oldStart, newStart, lines } of patch.hunks) {
    const hunk: string[] = [];
    for (const line of lines) {
      const isLeftOut = counts['+'] + counts['-'] >= limit;
      const sign = line[0];
      if (sign === '+' || sign === '-') counts[sign] += 1;
      if (!isLeftOut) hunk.push(cut(line));
    }
    if (hunk.length > 0) hunks.push({ a: oldStart, b: newStart, lines: hunk });
  }
  return { ...sizes, added: counts['+'], removed: counts['-'], hunks };
}

/** `1 line removed, 2 added` */
export function textDiffText({ a, b, added, removed, common = 0 }: TextDiff): string {
  if (added === undefined || removed === undefined) {
    return `${formatCount(a)} -> ${countOf(b, 'line')}, ${formatCount(common)} in both; too different to align`;
  }
  if (removed === 0) return `${countOf(added, 'line')} added`;
  return `${countOf(removed, 'line')} removed${added === 0 ? '' : `, ${formatCount(added)} added`}`;
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function cut(line: string): string {
  return line.length <= MAX_LINE_LENGTH ? line : `${line.slice(0, MAX_LINE_LENGTH - 1)}…`;
}
