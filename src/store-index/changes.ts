import type { CallOptions, SqlStatement } from '../storage/contract.ts';
import type { Subject } from './subjects.ts';

/** Some subjects that changed, and how far that brings an index that has written them, and all pages before. */
export interface ChangePage {
  readonly subjects: readonly Subject[];
  /** Kept once the subjects are written; the next catch-up begins there. Absent: the position stays. */
  readonly position?: string;
  /** True where all that it tells was visible before the source told anything: what was read since then needs no second look. */
  readonly isSettled?: boolean;
  /** Statements that belong to the transaction that writes the last of the subjects. */
  readonly afterwards?: readonly SqlStatement[];
}

/** Options of {@link ChangeSource.changes}. */
export interface ChangesOptions extends CallOptions {
  /** The position that the index keeps; `''` of a new one, which is given all that there is. */
  readonly position: string;
  /** All is compared, and what is gone is found. Default `false`. */
  readonly full?: boolean | undefined;
}

/** Tells an index what changed in its store since it was caught up. What is told twice, or did not change, does no harm. */
export interface ChangeSource {
  changes(options: ChangesOptions): AsyncIterable<ChangePage>;
}
