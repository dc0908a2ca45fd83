import type { CacheFigures } from '../../store-index/cache-figures.ts';
import type { Invocation } from '../invocation.ts';
import { type FiguresFailure, type IndexOptions, withAskedIndex, withoutFigures } from './asked-index.ts';

/** Figures of the cache by the names of tasks, and the time to which they tell the store. */
interface AskedFigures {
  caughtUpAt: string | undefined;
  byTask: ReadonlyMap<string, Omit<CacheFigures, 'task'>>;
}

/** Asks the index how often results were found. An index that cannot be asked costs the figures alone. */
export async function askedCacheFigures(
  invocation: Invocation,
  options: IndexOptions,
): Promise<AskedFigures | { figuresFailure: FiguresFailure }> {
  try {
    return await withAskedIndex(invocation, options, async ({ index, caughtUpAt }) => {
      const byTask = new Map<string, Omit<CacheFigures, 'task'>>();
      for await (const { task, ...figures } of index.cacheFigures(invocation)) byTask.set(task, figures);
      return { caughtUpAt, byTask };
    });
  } catch (error) {
    return { figuresFailure: withoutFigures(invocation, error) };
  }
}
