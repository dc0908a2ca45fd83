import type { ListedObject, ListPage } from './contract.ts';

/** The most entries in one page of a listing. */
export const MAX_PAGE_ENTRIES = 1000;

/** One entry of a listing: an object, or (`depth: 'one'`) a folder that ends in `/`. */
export type ListEntry = ListedObject | string;

/** Cuts an ordered run of entries into pages, and ends it after `limit` of them. */
export function* pagesOf(entries: Iterable<ListEntry>, limit: number): Generator<ListPage, void> {
  if (limit === 0) return;
  let page: ListPage = { objects: [], folders: [] };
  let total = 0;
  for (const entry of entries) {
    if (typeof entry === 'string') page.folders.push(entry);
    else page.objects.push(entry);
    total += 1;
    if (total === limit) break;
    if (page.objects.length + page.folders.length === MAX_PAGE_ENTRIES) {
      yield page;
      page = { objects: [], folders: [] };
    }
  }
  if (page.objects.length + page.folders.length > 0) yield page;
}
