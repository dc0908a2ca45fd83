import type { CallOptions } from '../../storage/contract.ts';
import type { FiguredRun } from '../../store-index/run-figures.ts';
import type { StoreIndex } from '../../store-index/store-index.ts';
import type { RunView } from '../../views/runs.ts';
import type { Invocation } from '../invocation.ts';
import { type FiguresFailure, type IndexOptions, withAskedIndex, withoutFigures } from './asked-index.ts';

/** Runs with their figures, and the time to which these tell the store, or the reason why there are none. */
interface Figured {
  caughtUpAt?: string | undefined;
  figuresFailure?: FiguresFailure;
  runs: readonly FiguredRun[];
}

/** Asks the index for the figures of runs. An index that cannot be asked costs the figures alone. */
export async function withFigures(
  invocation: Invocation,
  options: IndexOptions,
  runs: readonly RunView[],
): Promise<Figured> {
  try {
    return await withAskedIndex(invocation, options, async ({ index, caughtUpAt }) => ({
      caughtUpAt,
      runs: await figured(index, runs, invocation),
    }));
  } catch (error) {
    return { figuresFailure: withoutFigures(invocation, error), runs };
  }
}

/** Runs with the figures that an index has of them, as it is. */
export async function figured(
  index: StoreIndex,
  runs: readonly RunView[],
  options: CallOptions,
): Promise<FiguredRun[]> {
  const known = new Map<string, NonNullable<FiguredRun['figures']>>();
  for await (const { flow, run, ...figures } of index.figures(runs, options))
    known.set(`${flow}/${run}`, figures);
  return runs.map((one) => {
    const figures = known.get(`${one.flow}/${one.run}`);
    return figures ? { ...one, figures } : one;
  });
}
