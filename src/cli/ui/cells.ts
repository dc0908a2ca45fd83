import { printable } from '../../codec/printable-text.ts';
import type { RecordedError } from '../../format/session-files.ts';
import type { ArtifactView, AttemptSummary } from '../../views/attempts.ts';
import type { Style } from './paint.ts';
import { formatBytes } from './sizes.ts';
import type { Cell, Column } from './table.ts';
import { ageOf, formatDuration } from './times.ts';

const KEY_DIGITS = 12;

const STATUS_STYLES: Readonly<Record<string, Style>> = {
  open: 'yellow',
  done: 'green',
  failed: 'red',
  abandoned: 'yellow',
  deleted: 'dim',
  damaged: 'red',
  unreadable: 'red',
};

export const ARTIFACT_COLUMNS: readonly Column[] = [
  { header: 'ARTIFACT', shrinks: true },
  { header: 'TYPE', dropOrder: 1, shrinks: true },
  { header: 'SIZE', align: 'right' },
  { header: 'STORED', align: 'right', dropOrder: 2 },
  { header: 'KEY', dropOrder: 3 },
];

export function artifactRow(artifact: ArtifactView): Cell[] {
  return [
    nameCell(artifact.name),
    artifact.type,
    formatBytes(artifact.bytes),
    storedText(artifact),
    { text: shortKey(artifact.key), style: 'dim' },
  ];
}

/** The stored bytes of an artifact: `inline` for one that is part of the attempt's description. */
export function storedText({ inline, storedBytes }: ArtifactView): string {
  return inline ? 'inline' : formatBytes(storedBytes);
}

/** Shows as many digits of a key as people need. */
export function shortKey(key: string): string {
  return key.slice(0, KEY_DIGITS);
}

/** The name of a thing, by which it can be asked for. */
export function nameCell(text: string): Cell {
  return { text, style: 'cyan' };
}

/** The name of a task, or its path, and what people call it. */
export function withLabel(name: string, { label }: { label?: string | undefined }): string {
  return label === undefined ? name : `${name}  ${label}`;
}

/** The status of a run or an attempt. */
export function statusCell({ status, purged }: { status: string; purged?: true | undefined }): Cell {
  return { text: purged ? `${status}, purged` : status, style: statusStyle(status) };
}

export function statusStyle(status: string): Style {
  return STATUS_STYLES[status] ?? 'yellow';
}

/** The age of an ISO 8601 time; empty where it is not known. */
export function ageCell(iso: string | undefined): string {
  return iso ? ageOf(iso) : '';
}

/** A duration; empty where it is not known. */
export function durationCell(durationMs: number | undefined): string {
  return durationMs === undefined ? '' : formatDuration(durationMs);
}

/** Tells whose something open is, and when that was heard of last: `by process 4711 on worker-3, last heard 2 h ago`. */
export function ownerText({ owner, heardAt }: Pick<AttemptSummary, 'owner' | 'heardAt'>): string {
  const whose = owner ? `by process ${owner.pid} on ${printable(owner.host)}` : '';
  return heardAt === undefined ? whose : `${whose}, last heard ${ageCell(heardAt)}`;
}

/** `Error: what happened`, without the stack. */
export function errorLine({ name, message }: RecordedError): string {
  return message === '' ? name : `${name}: ${message}`;
}
