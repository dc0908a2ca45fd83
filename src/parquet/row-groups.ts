import type { FrameColumn } from './frame-columns.ts';
import type { ExactValue, ExactValues } from './stored-values.ts';

/** Rows, by columns. */
export interface Rows {
  readonly rows: number;
  readonly columns: readonly ExactValues[];
}

/** A row group ends once its values take so much. */
const GROUP_BYTES = 32 * 1024 * 1024;

/** Deals rows out to row groups anew, by the rows alone: those of other batches make the same groups. */
export async function* intoRowGroups(
  columns: readonly FrameColumn[],
  batches: AsyncIterable<Rows>,
  mostRows: number,
): AsyncGenerator<{ rows: number; columns: ExactValue[][] }> {
  const weights = columns.map(weightOf);
  let group = columns.map((): ExactValue[] => []);
  let rows = 0;
  let bytes = 0;
  for await (const batch of batches) {
    for (let row = 0; row < batch.rows; row++) {
      for (let index = 0; index < group.length; index++) {
        const value = batch.columns[index]?.[row];
        (group[index] as ExactValue[]).push(value);
        bytes += (weights[index] as Weight)(value);
      }
      rows++;
      if (rows < mostRows && bytes < GROUP_BYTES) continue;
      yield { rows, columns: group };
      group = columns.map(() => []);
      rows = 0;
      bytes = 0;
    }
  }
  if (rows > 0) yield { rows, columns: group };
}

/** About the bytes that a value takes in the file. */
type Weight = (value: ExactValue) => number;

function weightOf(column: FrameColumn): Weight {
  switch (column.type) {
    case 'string':
    case 'json':
    case 'binary':
      return (value) => 4 + (value === null ? 0 : (value as { length: number }).length);
    case 'list': {
      const element = weightOf(column.element);
      return (value) => sum((value ?? []) as ExactValue[], element);
    }
    case 'struct': {
      const fields = column.fields.map((field) => [field.name, weightOf(field)] as const);
      return (value) => {
        let bytes = 1;
        if (value === null) return bytes;
        for (const [name, weight] of fields)
          bytes += weight((value as Record<string, ExactValue>)[name] ?? null);
        return bytes;
      };
    }
    case 'map': {
      const key = weightOf(column.key);
      const item = weightOf(column.value);
      return (value) =>
        sum(
          (value ?? []) as { key: ExactValue; value: ExactValue }[],
          (entry) => key(entry.key) + item(entry.value),
        );
    }
    case 'fixed':
      return () => column.bytes;
    case 'boolean':
    case 'null':
      return () => 1;
    case 'decimal':
    case 'uuid':
      return () => 16;
    default:
      return () => 8;
  }
}

function sum<T>(values: readonly T[], weight: (value: T) => number): number {
  let bytes = 4;
  for (const value of values) bytes += weight(value);
  return bytes;
}
