import type { ContentKey } from '../../format/content-names.ts';
import type { ArtifactEntry } from '../../format/description.ts';

/** What is to go of sessions: rows of their tables, and contents. */
export interface ErasureTargets {
  /** True of contents that go wherever they are named. */
  has(key: ContentKey): boolean;
  /** What goes with a row that is to go. */
  inRow(row: Pick<ArtifactEntry, 'key' | 'refs'>): ContentKey[];
  /** The rows of a table that are to go. */
  rowsIn(rows: readonly ArtifactEntry[]): ArtifactEntry[];
  /** Why some of it goes, as one text. */
  reasonOf(keys: Iterable<ContentKey>): string;
}

/** The contents that are to go, each with the reason. */
export class ErasedKeys implements ErasureTargets {
  readonly #reasons: ReadonlyMap<ContentKey, string>;

  constructor(reasons: ReadonlyMap<ContentKey, string>) {
    this.#reasons = reasons;
  }

  get keys(): ContentKey[] {
    return [...this.#reasons.keys()];
  }

  has(key: ContentKey): boolean {
    return this.#reasons.has(key);
  }

  /** Those that a row holds: its value, inline or not, or what references in it point at. A value that points at nothing goes, too. */
  inRow({ key, refs = [] }: Pick<ArtifactEntry, 'key' | 'refs'>): ContentKey[] {
    const referred = refs.filter((ref) => ref.kind === 'key' && this.has(ref.name)).map(({ name }) => name);
    return this.has(key) ? [key, ...referred] : referred;
  }

  /** The rows of a table that hold any. */
  rowsIn(rows: readonly ArtifactEntry[]): ArtifactEntry[] {
    return rows.filter((row) => this.inRow(row).length > 0);
  }

  /** The reasons of some of them as one text. */
  reasonOf(keys: Iterable<ContentKey>): string {
    const reasons = new Set<string>();
    for (const key of keys) {
      const reason = this.#reasons.get(key);
      if (reason !== undefined) reasons.add(reason);
    }
    return [...reasons].join('; ');
  }
}
