/** The value that a row is sorted by; rows without one come last, whatever the direction. */
export type Order<Row> = (row: Row) => string | number | undefined;

/** The rows in order. Equal ones stay as they were; digits in names count as numbers: `fit/2` is before `fit/10`. */
export function sortRows<Row>(rows: readonly Row[], order: Order<Row>, isDescending: boolean): Row[] {
  const sign = isDescending ? -1 : 1;
  return rows
    .map((row) => ({ row, value: order(row) }))
    .sort((a, b) => {
      if (a.value === undefined || b.value === undefined)
        return Number(a.value === undefined) - Number(b.value === undefined);
      return sign * compared(a.value, b.value);
    })
    .map(({ row }) => row);
}

const NAMES = new Intl.Collator('en', { numeric: true });

function compared(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return NAMES.compare(String(a), String(b));
}
