import { isStowageError } from '../../errors.ts';
import type { CacheFigures } from '../../store-index/cache-figures.ts';
import type { Invocation } from '../invocation.ts';
import { type IndexOptions, withAskedIndex } from './asked-index.ts';

/** Figures of the cache by the names of tasks, and the time to which they tell the store. */
interface AskedFigures {
  caughtUpAt: string | undefined;
  byTask: ReadonlyMap<string, Omit<CacheFigures, 'task'>>;
}

/** Asks the index how often results were found. Why one cannot be asked is reported, and `undefined` stands for its answer. */
export async function askedCacheFigures(
  invocation: Invocation,
  options: IndexOptions,
): Promise<AskedFigures | undefined> {
  try {
    return await withAskedIndex(invocation, options, async ({ index, caughtUpAt }) => {
      const byTask = new Map<string, Omit<CacheFigures, 'task'>>();
      for await (const { task, ...figures } of index.cacheFigures(invocation)) byTask.set(task, figures);
      return { caughtUpAt, byTask };
    });
  } catch (error) {
    if (!isStowageError(error) || isStowageError(error, 'ABORTED', 'INVALID_ARGUMENT')) throw error;
    invocation.failed(error);
    return undefined;
  }
}
