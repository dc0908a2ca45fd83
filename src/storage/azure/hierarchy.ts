import { StowageError } from '../../errors.ts';

/**
 * Refuses accounts with a hierarchical namespace (Data Lake Storage Gen2). They keep folders as blobs of their own, which
 * outlive what lay in them, and list names folder by folder rather than in the order of their bytes.
 *
 * @throws StowageError `STORAGE_UNSUPPORTED`
 */
export function refuseHierarchy(isHierarchical: boolean, place: string): void {
  if (!isHierarchical) return;
  throw new StowageError(
    'STORAGE_UNSUPPORTED',
    `The account of ${place} has a hierarchical namespace (Data Lake Storage Gen2), which lists names in another order ` +
      'and keeps folders; use an account without one.',
    { details: { place } },
  );
}
