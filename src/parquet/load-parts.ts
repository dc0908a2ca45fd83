import { onUse } from '../async/open-files.ts';

/**
 * Loads what data frames need, on use: most programs have none. It stands alone because its type leads to those of `hyparquet`, which
 * declarations of what is public may not name.
 */
export const parquetParts: () => Promise<typeof import('./parquet-parts.ts')> = onUse(
  () => import('./parquet-parts.ts'),
);
