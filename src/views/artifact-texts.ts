import type { StoredCodec } from '../content/reading/stored-codecs.ts';
import type { RecordedError } from '../format/session-files.ts';
import { countOf, formatBytes, formatCount } from '../options/figures.ts';
import type { ArtifactView } from './attempts.ts';
import type { ReferenceView } from './references.ts';
import type { UseKind } from './storage-use.ts';

// Nothing but types and figures is imported: a browser shows the same texts.

const KEY_DIGITS = 12;

/** The file itself, rather than the value that names it: `x.csv, 12 B`, `data, 2 files, 6 B`; empty of what refers to none. */
export function referenceText({ failure, name = '', fileCount, size, uri }: ReferenceView = {}): string {
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
export function codecText({ codecs = [], storedRatio }: ArtifactView): string {
  const names = codecs.map((codec) => CODEC_NAMES[codec]).join(' + ');
  return [names, ...(names === '' ? [] : gain(storedRatio))].join(', ');
}

/** The stored bytes of an artifact, `41 MB (41 %)`; `inline` for one that is part of the attempt's description. */
export function storedText(artifact: ArtifactView): string {
  const [percent] = gain(artifact.storedRatio);
  return percent === undefined ? bytesStored(artifact) : `${bytesStored(artifact)} (${percent})`;
}

/** The bytes that an artifact takes in the store; `inline` for one that is part of the attempt's description. */
export function bytesStored({ inline, storedBytes }: ArtifactView): string {
  return inline ? 'inline' : formatBytes(storedBytes);
}

/** The part of its size that an artifact takes, where it takes less; envelopes make raw content a little longer. */
function gain(storedRatio: number | null): [percent: string] | [] {
  const percent = Math.round((storedRatio ?? 1) * 100);
  if (percent >= 100) return [];
  return [percent < 1 ? '< 1 %' : `${percent} %`];
}

const KIND_NAMES: Readonly<Record<UseKind, string>> = {
  artifacts: 'artifacts',
  references: 'files they refer to',
  reports: 'reports',
  traces: 'traces',
  checkpoints: 'checkpoints',
  code: 'code of runs',
  published: 'published versions',
  standalone: 'saved outside tasks',
};

/** The name of a kind of what is kept. */
export function kindText(kind: UseKind): string {
  return KIND_NAMES[kind];
}

/** Shows as many digits of a key as people need. */
export function shortKey(key: string): string {
  return key.slice(0, KEY_DIGITS);
}

/** `Error: what happened`, without the stack. */
export function errorLine({ name, message }: RecordedError): string {
  return message === '' ? name : `${name}: ${message}`;
}

/** How many of the results of cached tasks that a run had came from others: `5 of 8`; empty where it had none. */
export function hitsText({ cachedResults, cacheHits }: { cachedResults: number; cacheHits: number }): string {
  return cachedResults === 0 ? '' : `${formatCount(cacheHits)} of ${formatCount(cachedResults)}`;
}
