import type { ContentRef } from '../format/content-ref.ts';
import type { JsonValue } from '../format/json-value.ts';

/** The method by which a reference tells how it is written: `Symbol.for('stowage.reference')`. */
export const REFERENCE: unique symbol = Symbol.for('stowage.reference') as never;

/** The types of the references that this release makes, as rows name them. A class of a user may have the same name. */
export const REFERENCE_TYPES: ReadonlySet<string> = new Set(['FileRef', 'DirectoryRef', 'DataFrameRef']);

/** A reference as values hold it (docs/format.md, "References"). */
export interface ReferenceForm {
  /** Tells how the members are read: `file`, `directory`. Never change what a kind means. */
  readonly kind: string;
  /** The name that people have for it: `FileRef`. */
  readonly type: string;
  /** What makes it equal to another, and not where its content lies. */
  readonly members: Readonly<Record<string, JsonValue | Uint8Array>>;
  /** The contents that it points at in its store. They stand in the `refs` of the artifact's row, with their places. */
  readonly contents: readonly ContentRef[];
}

/** A value that stands for content which it does not hold: a file, a directory. */
export interface Referring {
  [REFERENCE](): ReferenceForm;
}

/**
 * Makes a reference of what a value holds, and of where its row says that the contents lie.
 *
 * @throws what is wrong with the members: nothing of them is certain
 */
export type ReferenceReader = (kind: string, members: unknown) => object;

/** True if `value` is a reference, of whatever copy of the package. */
export function isReference(value: unknown): value is Referring {
  return typeof value === 'object' && value !== null && REFERENCE in value;
}
