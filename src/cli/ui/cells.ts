import { printable } from '../../codec/printable-text.ts';
import type { StoredCodec } from '../../content/reading/stored-codecs.ts';
import type { RecordedError } from '../../format/session-files.ts';
import { ageOf, countOf, formatBytes, formatDuration } from '../../options/figures.ts';
import type { ArtifactView, AttemptSummary } from '../../views/attempts.ts';
import type { ReferenceView } from '../../views/references.ts';
import type { Style } from './paint.ts';
import type { Cell, Column } from './table.ts';

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

/** The file itself, rather than the value that names it: `x.csv, 12 B`, `data, 2 files, 6 B`; empty of what refers to none. */
function referenceText({ failure, name = '', fileCount, size, uri }: ReferenceView = {}): string {
  if (failure) return failure.code;
  const facts = [
    name,
    ...(fileCount === undefined ? [] : [countOf(fileCount, 'file')]),
    ...(size === undefined ? [] : [formatBytes(size)]),
    ...(uri === undefined ? [] : [`at ${uri}`]),
  ];
  return facts.join(', ');
}

const CODEC_NAMES: Readonly<Record<StoredCodec, string>> = {
  raw: 'raw',
  zstd: 'zstd',
  'grouped-zstd': 'grouped zstd',
  plain: 'plain file',
};

/** The codecs of an artifact's stored bytes, and the part of its size that they take: `zstd, 41 %`; empty where nobody looked. */
function codecText({ codecs = [], storedRatio }: ArtifactView): string {
  const names = codecs.map((codec) => CODEC_NAMES[codec]).join(' + ');
  return [names, ...(names === '' ? [] : gain(storedRatio))].join(', ');
}

/** The stored bytes of an artifact, `41 MB (41 %)`; `inline` for one that is part of the attempt's description. */
export function storedText(artifact: ArtifactView): string {
  const [percent] = gain(artifact.storedRatio);
  return percent === undefined ? bytesStored(artifact) : `${bytesStored(artifact)} (${percent})`;
}

function bytesStored({ inline, storedBytes }: ArtifactView): string {
  return inline ? 'inline' : formatBytes(storedBytes);
}

/** The part of its size that an artifact takes, where it takes less; envelopes make raw content a little longer. */
function gain(storedRatio: number | null): [percent: string] | [] {
  const percent = Math.round((storedRatio ?? 1) * 100);
  if (percent >= 100) return [];
  return [percent < 1 ? '< 1 %' : `${percent} %`];
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

/** `Error: what happened`, without the stack. */
export function errorLine({ name, message }: RecordedError): string {
  return message === '' ? name : `${name}: ${message}`;
}
