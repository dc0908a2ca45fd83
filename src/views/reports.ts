import type { TaskPath } from '../format/pathspec.ts';
import { reportsOf } from '../reports/report-reader.ts';
import type { AttemptDetail } from './attempts.ts';
import type { StoreView } from './store-view.ts';

/** A report of an attempt. */
export interface ReportView {
  name: string;
  title: string;
  bytes: number;
}

/** The reports of an attempt, whatever its status; none of one that is gone or cannot be read. */
export async function readReportsOf(
  view: StoreView,
  path: TaskPath,
  { attempt, status, failure, reports }: AttemptDetail,
): Promise<ReportView[]> {
  if (status === 'deleted' || failure) return [];
  const described = reports && { reports };
  const found = await reportsOf(view, { path, attempt, described }, { signal: view.signal });
  return found.map(({ name, title, content: { bytes } }) => ({ name, title, bytes }));
}
