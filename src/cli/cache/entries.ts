import { formatBytes, formatCount } from '../../options/figures.ts';
import { shortKey } from '../../views/artifact-texts.ts';
import type { EntryChoice, EntryStatus, EntryView } from '../../views/cache-entries.ts';
import type { OptionDeclaration } from '../declaration.ts';
import { ageCell, durationCell, nameCell } from '../ui/cells.ts';
import type { Style } from '../ui/paint.ts';
import type { Cell, Column } from '../ui/table.ts';
import { parseSince } from '../ui/times.ts';

/** The choice of entries, as options of a command. */
export interface EntryOptions {
  task?: string;
  scope?: string;
  olderThan?: string;
  since?: string;
}

export const ENTRY_OPTIONS: readonly OptionDeclaration[] = [
  { flags: '--task <name>', text: 'only entries of this task' },
  {
    flags: '--scope <scope>',
    text: 'only entries of this scope: global, the name of a flow, or another',
  },
  {
    flags: '--older-than <age>',
    text: 'only entries stored before: an age (12h, 7d) or a date (2026-01-31)',
  },
];

/** @throws CliError `USAGE` */
export function entryChoiceOf({ task, scope, olderThan, since }: EntryOptions): EntryChoice {
  return {
    task,
    scope,
    beforeMs: olderThan === undefined ? undefined : parseSince(olderThan, '--older-than'),
    sinceMs: since === undefined ? undefined : parseSince(since, '--since'),
  };
}

export const ENTRY_COLUMNS: readonly Column[] = [
  { header: 'KEY' },
  { header: 'TASK', shrinks: true },
  { header: 'STATUS' },
  { header: 'VERSION', dropOrder: 4, shrinks: true },
  { header: 'SCOPE', dropOrder: 5, shrinks: true },
  { header: 'STORED', dropOrder: 1 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
  { header: 'SIZE', align: 'right', dropOrder: 3 },
  { header: 'ATTEMPT', shrinks: true, folds: 28 },
];

const STYLES: Readonly<Partial<Record<EntryStatus, Style>>> = {
  damaged: 'red',
  forged: 'red',
  unsigned: 'yellow',
  expired: 'dim',
};

export function entryRow(entry: EntryView): Cell[] {
  const { status, bytes } = entry;
  return [
    nameCell(shortKey(entry.key)),
    entry.task ?? '',
    status === 'live' ? '' : { text: status, style: STYLES[status] ?? 'yellow' },
    entry.version ?? '',
    entry.scope ?? '',
    ageCell(entry.createdAt),
    durationCell(entry.durationMs),
    bytes === undefined ? '' : formatBytes(bytes),
    entry.attempt ?? '',
  ];
}

/** `1 entry`, `12,345 entries`. */
export function entryCount(count: number): string {
  return count === 1 ? '1 entry' : `${formatCount(count)} entries`;
}
