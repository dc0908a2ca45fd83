import type { ContentKey } from '../../format/content-names.ts';
import type { ArtifactEntry } from '../../format/description.ts';

/** The contents that are to go, each with the reason. */
export class ErasedKeys {
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
  rowsIn<T extends Pick<ArtifactEntry, 'key' | 'refs'>>(rows: readonly T[]): T[] {
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
