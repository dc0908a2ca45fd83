import type { ListedEntry } from '../../cache/entry-listing.ts';
import type { CacheMissReason } from '../../cache/entry-reader.ts';
import type { ArtifactEntry } from '../../format/description.ts';
import { formatStorePath } from '../store-path.ts';
import type { Style } from '../ui/paint.ts';
import { formatBytes, formatCount } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { ageOf, formatDuration } from '../ui/times.ts';

/** `live`, or why an entry is no hit, as far as the entry itself tells: its content is not looked at. */
export type EntryStatus = 'live' | CacheMissReason;

/** An entry in `--json`. */
export interface EntryJson {
  key: string;
  status: EntryStatus;
  /** Of an entry that cannot be read: when it was written, by the store's clock. */
  createdAt: string;
  /** The entry's own length, inline values included. */
  entryBytes: number;
  /** This and what follows is known of entries that can be read. */
  task?: string;
  version?: string;
  scope?: string;
  expiresAt?: string;
  durationMs?: number;
  /** Of the result, serialized. */
  bytes?: number;
  /** What of it is part of the entry. */
  inlineBytes?: number;
  attempt?: string;
  signedBy?: string;
}

const KEY_DIGITS = 12;

export const ENTRY_COLUMNS: readonly Column[] = [
  { header: 'KEY' },
  { header: 'TASK', shrinks: true },
  { header: 'STATUS' },
  { header: 'VERSION', dropOrder: 4, shrinks: true },
  { header: 'SCOPE', dropOrder: 5, shrinks: true },
  { header: 'STORED', dropOrder: 1 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
  { header: 'SIZE', align: 'right', dropOrder: 3 },
  { header: 'ATTEMPT', dropOrder: 6, shrinks: true },
];

const STYLES: Readonly<Partial<Record<EntryStatus, Style>>> = {
  damaged: 'red',
  forged: 'red',
  unsigned: 'yellow',
  expired: 'dim',
};

/** A row of {@link ENTRY_COLUMNS}. */
export function entryRow(entry: EntryJson): Cell[] {
  const { status, durationMs, bytes } = entry;
  return [
    { text: shortKey(entry.key), style: 'cyan' },
    entry.task ?? '',
    status === 'live' ? '' : { text: status, style: STYLES[status] ?? 'yellow' },
    entry.version ?? '',
    entry.scope ?? '',
    ageOf(entry.createdAt),
    durationMs === undefined ? '' : formatDuration(durationMs),
    bytes === undefined ? '' : formatBytes(bytes),
    entry.attempt ?? '',
  ];
}

/** What is told of an entry: little is kept of it, since there may be very many. */
export function entryJson({ key, bytes, modifiedAtMs, entry, problem }: ListedEntry): EntryJson {
  if (!entry) {
    const createdAt = new Date(modifiedAtMs).toISOString();
    return { key, status: problem ?? 'damaged', createdAt, entryBytes: bytes };
  }
  const { task, version, scope, createdAt, expiresAt, durationMs, source, table, signedBy } = entry;
  const isExpired = expiresAt !== undefined && Date.parse(expiresAt) <= Date.now();
  return {
    key,
    status: isExpired ? 'expired' : 'live',
    createdAt,
    entryBytes: bytes,
    task,
    version,
    scope,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(durationMs === undefined ? {} : { durationMs }),
    bytes: sumOf(table.artifacts),
    inlineBytes: sumOf(table.artifacts.filter(({ content }) => !content)),
    attempt: formatStorePath(source),
    ...(signedBy === undefined ? {} : { signedBy }),
  };
}

function sumOf(artifacts: readonly ArtifactEntry[]): number {
  return artifacts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** When an entry was stored, in milliseconds since 1970: by the clock of whoever did, or, where it cannot be read, the store's. */
export function storedAtMs({ entry, modifiedAtMs }: ListedEntry): number {
  return entry ? Date.parse(entry.createdAt) : modifiedAtMs;
}

/** As many digits of a key as people need. */
export function shortKey(key: string): string {
  return key.slice(0, KEY_DIGITS);
}

/** `1 entry`, `12,345 entries`. */
export function entryCount(count: number): string {
  return count === 1 ? '1 entry' : `${formatCount(count)} entries`;
}
