import { fractions } from './values.mjs';

/** The names of so many columns. */
export function frameNames(count) {
  return Array.from({ length: count }, (_, at) => `column_${at}`);
}

/** Numbers of six decimals, others in each column. */
export function frameColumn(rows, at) {
  return Float64Array.from(fractions(rows, 5000 + at));
}
