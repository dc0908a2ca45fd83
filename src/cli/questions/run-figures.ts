import { isStowageError } from '../../errors.ts';
import type { FiguredRun } from '../../store-index/run-figures.ts';
import type { RunView } from '../../views/runs.ts';
import type { Invocation } from '../invocation.ts';
import { type IndexOptions, withAskedIndex } from './asked-index.ts';

/** Runs with their figures, and the time to which these tell the store. */
interface Figured {
  caughtUpAt?: string | undefined;
  runs: readonly FiguredRun[];
}

/** Asks the index for the figures of runs. An index that cannot be asked costs the figures alone: why is reported behind the runs. */
export async function withFigures(
  invocation: Invocation,
  options: IndexOptions,
  runs: readonly RunView[],
): Promise<Figured> {
  try {
    return await withAskedIndex(invocation, options, async ({ index, caughtUpAt }) => {
      const known = new Map<string, NonNullable<FiguredRun['figures']>>();
      for await (const { flow, run, ...figures } of index.figures(runs, invocation))
        known.set(`${flow}/${run}`, figures);
      return {
        caughtUpAt,
        runs: runs.map((one): FiguredRun => {
          const figures = known.get(`${one.flow}/${one.run}`);
          return figures ? { ...one, figures } : one;
        }),
      };
    });
  } catch (error) {
    if (!isStowageError(error) || isStowageError(error, 'ABORTED', 'INVALID_ARGUMENT')) throw error;
    invocation.failed(error);
    return { runs };
  }
}
