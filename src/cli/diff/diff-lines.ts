import { formatCount } from '../../options/figures.ts';
import type { Style } from '../ui/paint.ts';
import type { PathChange } from './changes.ts';
import { shortValue } from './short-value.ts';
import { columnDiffText } from './table-diff.ts';
import type { ArtifactDiff } from './task-diff.ts';
import { type ChangedParts, changeText, fullPath, valueDiffText } from './value-diff.ts';

/** A line of what changed. */
export interface DiffLine {
  text: string;
  style?: Style;
}

/** So many columns of a table are told one by one. */
const MAX_COLUMNS = 10;

const SIGNS = { added: '+', removed: '-', changed: ' ' } as const;
export const CHANGE_STYLES: Readonly<Record<PathChange['change'], Style>> = {
  added: 'green',
  removed: 'red',
  changed: 'yellow',
};

/** Tells the change of an artifact: lines that begin with its name, or that stand below such a line. */
export function artifactLines(artifact: ArtifactDiff): DiffLine[] {
  const { name, change, how } = artifact;
  if (!how) {
    const text = onlyText(artifact);
    return text === undefined
      ? []
      : [{ text: `${SIGNS[change]} ${name}: ${text}`, style: CHANGE_STYLES[change] }];
  }
  if (how.kind === 'parts') {
    return how.total === 0 ? [{ text: `  ${name}: ${valueDiffText(how)}` }] : partLines(name, how);
  }
  const lines: DiffLine[] = [{ text: `  ${name}: ${valueDiffText(how)}` }];
  if (how.kind === 'table') {
    for (const column of how.columns.slice(0, MAX_COLUMNS))
      lines.push({ text: `    ${columnDiffText(column)}` });
    lines.push(...partLines(name, how));
  }
  if (how.kind === 'text') {
    const { hunks, added = 0, removed = 0 } = how;
    for (const { a, b, lines: hunk } of hunks) {
      lines.push({ text: `    @@ -${a} +${b} @@`, style: 'dim' });
      for (const line of hunk) lines.push(textLine(line));
    }
    const shown = hunks.flatMap((hunk) => hunk.lines).filter((line) => /^[+-]/.test(line)).length;
    lines.push(...moreLine(added + removed - shown));
  }
  return lines;
}

/** The value of an artifact that only one side has, if it is at hand. */
export function onlyText({ a, b }: ArtifactDiff): string | undefined {
  const inline = a && b ? undefined : (a ?? b)?.inline;
  return inline && 'json' in inline ? shortValue(inline.json) : undefined;
}

/** A line for each change, each with its path. */
export function partLines(name: string, { total, changes }: ChangedParts): DiffLine[] {
  const lines = changes.map((change): DiffLine => {
    const path = name === '' ? change.path : fullPath(name, change.path);
    const text = `${SIGNS[change.change]} ${path}: ${changeText(change)}`;
    return change.change === 'changed' ? { text } : { text, style: CHANGE_STYLES[change.change] };
  });
  return [...lines, ...moreLine(total - changes.length)];
}

function textLine(line: string): DiffLine {
  const text = `    ${line}`;
  if (line.startsWith('+')) return { text, style: 'green' };
  return line.startsWith('-') ? { text, style: 'red' } : { text };
}

function moreLine(more: number): DiffLine[] {
  return more <= 0 ? [] : [{ text: `    and ${formatCount(more)} more`, style: 'dim' }];
}
