import type { ContentRef } from './content-ref.ts';
import { HERE, refId } from './content-ref.ts';
import type { ArtifactEntry, ArtifactTable } from './description.ts';
import type { Locator } from './locator.ts';
import { type Manifest, packsOf } from './manifest.ts';
import type { ReportEntry } from './report-records.ts';
import type { AttemptRecord } from './session-files.ts';
import type { StoredContent } from './stored-content.ts';

/**
 * A record that keeps content alive (docs/format.md, "What keeps content alive"), for as long as its session and its marks say so:
 * attempt.json and pins of an open session, the description, the table and the reports of a closed one, traces and checkpoints of an attempt
 * that did not come to an end, a copy of a content that lives.
 */
export type KeepingRecord =
  | { kind: 'attempt'; attempt: Pick<AttemptRecord, 'pins'> }
  | { kind: 'pins'; entries: readonly ContentRef[] }
  | { kind: 'metadata'; table: ArtifactTable | StoredContent }
  | { kind: 'reports'; reports: readonly ReportEntry[] }
  | { kind: 'artifact-table' | 'trace' | 'checkpoint'; table: ArtifactTable }
  | { kind: 'manifest'; place: string; manifest: Manifest }
  | { kind: 'locator'; place: string; locator: Locator };

/**
 * Tells what a record keeps alive: contents by their keys, packs and plain objects by their names. Each may be named more than once. Of a
 * description whose table was moved it is the table's content, which names the rest.
 */
export function refsOf(record: KeepingRecord): ContentRef[] {
  switch (record.kind) {
    case 'attempt':
      return [...record.attempt.pins];
    case 'pins':
      return [...record.entries];
    case 'metadata':
      return 'key' in record.table ? [refOfContent(record.table)] : refsOfTable(record.table);
    case 'reports': // plain objects, which their locators name
      return record.reports.map(({ content }) => refOfContent(content));
    case 'artifact-table':
    case 'trace':
    case 'checkpoint':
      return refsOfTable(record.table);
    case 'manifest':
      return packsOf(record.manifest).map((name) => ({ place: record.place, kind: 'pack', name }));
    case 'locator':
      return [{ place: record.place, kind: 'plain', name: record.locator.plain }];
  }
}

/** All copies of a content at the place where one was written. */
export function refOfContent({ key, place = HERE }: Pick<StoredContent, 'key' | 'place'>): ContentRef {
  return { place, kind: 'key', name: key };
}

/** A value in an object of the attempt's own names its key as well: of one that was found damaged, repair writes a copy. */
function refsOfTable({ artifacts }: ArtifactTable): ContentRef[] {
  const kept: ContentRef[] = [];
  for (const { key, content, own, refs } of artifacts) {
    if (content) kept.push(refOfContent(content));
    else if (own) kept.push(refOfContent({ key, ...own }));
    if (refs) for (const ref of refs) kept.push(ref);
  }
  return kept;
}

/** The references that the values of rows hold, each once. */
export function referencesIn(rows: Iterable<Pick<ArtifactEntry, 'refs'>>): ContentRef[] {
  const found = new Map<string, ContentRef>();
  for (const { refs } of rows) if (refs) for (const ref of refs) found.set(refId(ref), ref);
  return [...found.values()];
}
