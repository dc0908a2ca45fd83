import type { FrameColumn } from './frame-columns.ts';
import type { Rows } from './row-groups.ts';
import { rowGiver } from './row-values.ts';
import type { ExactValues } from './stored-values.ts';

/** The values of a column: an array of numbers of its type, where no value can be null; else an array of what rows give. */
export type ColumnArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array
  | unknown[];

const CLASSES: Readonly<Record<string, new (length: number) => ColumnArray>> = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float16: Float32Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** Joins the values of columns that come by row groups. */
export class ColumnJoiner {
  readonly #columns: readonly FrameColumn[];
  readonly #parts: ExactValues[][];
  #rows = 0;

  constructor(columns: readonly FrameColumn[]) {
    this.#columns = columns;
    this.#parts = columns.map(() => []);
  }

  add({ rows, columns }: Rows): void {
    for (const [index, values] of columns.entries()) this.#parts[index]?.push(values);
    this.#rows += rows;
  }

  joined(): Record<string, ColumnArray> {
    return Object.fromEntries(
      this.#columns.map((column, index) => [
        column.name,
        joined(column, this.#parts[index] ?? [], this.#rows),
      ]),
    );
  }
}

function joined(column: FrameColumn, parts: readonly ExactValues[], rows: number): ColumnArray {
  const give = rowGiver(column);
  const Class = column.nullable ? undefined : CLASSES[column.type];
  const values = (Class ? new Class(rows) : new Array(rows)) as unknown[];
  let at = 0;
  for (const part of parts) {
    for (let row = 0; row < part.length; row++) values[at++] = Class ? part[row] : give(part[row]);
  }
  return values;
}
