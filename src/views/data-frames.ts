import { mapBounded } from '../async/bounded-work.ts';
import { isStowageError } from '../errors.ts';
import type { TaskDataStore } from '../flow/task-data-store.ts';
import type { FrameColumn } from '../parquet/frame-columns.ts';
import { DataFrameRef } from '../references/data-frame-ref.ts';
import { shownUri } from '../references/errors.ts';
import type { ArtifactView } from './attempts.ts';
import type { StoreView } from './store-view.ts';

/** What is shown of an artifact that is a data frame: its rows and columns, or why they cannot be told. */
export interface FrameView {
  artifact: string;
  file: string;
  /** Where it lies outside of the store: what a value names is not asked there to show it. */
  uri?: string;
  rows?: number;
  columns?: readonly FrameColumn[];
  failure?: { code: string; message: string };
}

/** Their footers are read, a few at a time. */
const FRAMES_AT_ONCE = 4;

/** The data frames among the artifacts of a task. A few requests each: the footer is read, and no rows. */
export async function readFrames(
  { signal }: StoreView,
  task: TaskDataStore,
  artifacts: readonly ArtifactView[],
): Promise<FrameView[]> {
  const frames = artifacts.filter(({ type }) => type === 'DataFrameRef');
  const read = await mapBounded(frames, FRAMES_AT_ONCE, async ({ name }): Promise<FrameView | undefined> => {
    let known = { artifact: name, file: name };
    try {
      const frame = await task.get(name, { signal });
      if (!(frame instanceof DataFrameRef)) return undefined;
      known = { artifact: name, file: frame.name };
      const { uri } = frame.file;
      if (uri !== undefined) return { ...known, uri: shownUri(uri) };
      return { ...known, rows: await frame.rowCount({ signal }), columns: await frame.schema({ signal }) };
    } catch (error) {
      if (!isStowageError(error) || error.code === 'ABORTED') throw error;
      return { ...known, failure: { code: error.code, message: error.message } };
    }
  });
  return read.filter((frame) => frame !== undefined);
}
