import type { BoundedMap } from '../async/bounded-map.ts';
import type { KeyLocks } from '../async/key-locks.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import type { Staging } from '../sessions/staging.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { CopyReport } from './copy-report.ts';
import type { EntriesToCopy } from './entries-to-copy.ts';

/** The state that the parts of one copy share. */
export interface CopyContext {
  readonly source: ContentAddressedStore;
  readonly target: ContentAddressedStore;
  readonly sourceId: string;
  /** Absent in a dry run into a store that does not exist yet. */
  readonly targetId: string | undefined;
  readonly staging: Staging;
  readonly report: CopyReport;
  /** Large contents take turns: each takes two packs of memory, and finds what the one before it wrote. */
  readonly turns: KeyLocks;
  /** Large contents that were written just now. */
  readonly written: BoundedMap<string, true>;
  /** The entries of the cache that are looked at, once the attempts are there. */
  readonly entries: EntriesToCopy;
  /** The sessions that records name (the code of runs, published versions), which are copied with these. */
  readonly keptSessions: Set<string>;
  readonly dryRun: boolean;
  readonly options: CallOptions;
}
