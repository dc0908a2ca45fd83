import type { ContentStore } from '../../content/content-store.ts';
import { HERE } from '../../format/content-ref.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { WorkFolder } from '../collection/sorted-lines.ts';
import type { ErasedKeys, ErasureTargets } from './erased-keys.ts';
import type { ErasureReport } from './erasure-report.ts';

/** Steps of an erasure, as its progress tells them. */
export type ErasureStep = 'sessions' | 'records' | 'cache' | 'content' | 'collect';

/** What going through sessions shares. */
export interface SweepContext {
  readonly content: ContentStore;
  readonly targets: ErasureTargets;
  readonly report: ErasureReport;
  readonly folder: WorkFolder;
  /** Counts what would go, and changes nothing. */
  readonly dryRun: boolean;
  /** The label of the erasure's own sessions. */
  readonly label: string;
  /** Says how to go on once a collector gave up on them. */
  readonly goOn: string;
  /** Labels of sessions of erasures that take all of these contents: what such a session writes holds none of them. */
  readonly harmless: ReadonlySet<string>;
  /** ISO 8601. */
  readonly at: string;
  readonly options: CallOptions;
  progress(step: ErasureStep, done: number): void;
}

/** What the parts of an erasure share. */
export interface ErasureContext extends SweepContext {
  readonly targets: ErasedKeys;
}

/** Deletes objects of a place by name, the store's own by default, and tells what stays. */
export async function deleteOrTell(
  { content, report, options }: SweepContext,
  names: readonly string[],
  place: string = HERE,
): Promise<void> {
  if (names.length === 0) return;
  const { storage } = await content.at(place, options);
  for (const { name, error } of await storage.delete(names, options))
    report.notDeleted({ place, name }, error);
}
