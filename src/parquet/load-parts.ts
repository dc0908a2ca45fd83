/**
 * Loads what data frames need, on use: most programs have none. It stands alone because its type leads to those of `hyparquet`, which
 * declarations of what is public may not name.
 */
export function parquetParts(): Promise<typeof import('./parquet-parts.ts')> {
  return import('./parquet-parts.ts');
}
