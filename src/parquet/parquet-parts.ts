/** What data frames need, loaded on use: most programs have none. */
export { arrowRows } from './arrow-rows.ts';
export { ArrowTableMaker } from './arrow-table.ts';
export { checkParquet, readFooter } from './footer.ts';
export { ColumnJoiner } from './frame-arrays.ts';
export { frameStatistics } from './frame-statistics.ts';
export { givenColumns, givenRows } from './given-rows.ts';
export { loadReader, loadWriter } from './parquet-library.ts';
export { decimalText, rowGiver } from './row-values.ts';
export { planScan } from './scan.ts';
export { writeParquet } from './write-parquet.ts';
