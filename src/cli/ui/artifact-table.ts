import type { ArtifactJson } from '../attempt-view.ts';
import { formatBytes } from './sizes.ts';
import type { Cell, Column } from './table.ts';

const KEY_DIGITS = 12;

export const ARTIFACT_COLUMNS: readonly Column[] = [
  { header: 'ARTIFACT', shrinks: true },
  { header: 'TYPE', dropOrder: 1, shrinks: true },
  { header: 'SIZE', align: 'right' },
  { header: 'STORED', align: 'right', dropOrder: 2 },
  { header: 'KEY', dropOrder: 3 },
];

export function artifactRow(artifact: ArtifactJson): Cell[] {
  return [
    { text: artifact.name, style: 'cyan' },
    artifact.type,
    formatBytes(artifact.bytes),
    storedText(artifact),
    { text: artifact.key.slice(0, KEY_DIGITS), style: 'dim' },
  ];
}

/** What an artifact takes up: `inline` for one that is part of the attempt's description. */
export function storedText({ inline, storedBytes }: ArtifactJson): string {
  return inline ? 'inline' : formatBytes(storedBytes);
}
