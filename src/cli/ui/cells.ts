import { printable } from '../../codec/printable-text.ts';
import { ageOf, formatBytes, formatDuration } from '../../options/figures.ts';
import { bytesStored, codecText, referenceText, shortKey, storedText } from '../../views/artifact-texts.ts';
import type { ArtifactView, AttemptSummary } from '../../views/attempts.ts';
import type { Style } from './paint.ts';
import type { Cell, Column } from './table.ts';

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
  { header: 'REFERS TO', shrinks: true },
  { header: 'SIZE', align: 'right' },
  { header: 'STORED', align: 'right', dropOrder: 2 },
  { header: 'CODEC', dropOrder: 3 },
  { header: 'KEY', dropOrder: 4 },
];

export function artifactRow(artifact: ArtifactView): Cell[] {
  return [
    nameCell(artifact.name),
    artifact.type,
    referenceText(artifact.reference),
    formatBytes(artifact.bytes),
    artifact.codecs ? bytesStored(artifact) : storedText(artifact),
    codecText(artifact),
    { text: shortKey(artifact.key), style: 'dim' },
  ];
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
export function statusCell({
  status,
  purged,
  takenOver,
}: {
  status: string;
  purged?: true | undefined;
  takenOver?: string | undefined;
}): Cell {
  const notes = [...(takenOver === undefined ? [] : ['taken over']), ...(purged ? ['purged'] : [])];
  return { text: [status, ...notes].join(', '), style: statusStyle(status) };
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
