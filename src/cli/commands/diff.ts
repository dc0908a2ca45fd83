import { usageError } from '../cli-error.ts';
import { type Comparison, compare, explainAll } from '../diff/comparison.ts';
import { comparisonJson } from '../diff/diff-json.ts';
import { printComparison } from '../diff/print-comparison.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { reachRun } from '../reach.ts';
import { withStore } from '../store.ts';
import { parseStorePath, type StorePath } from '../store-path.ts';
import { parseBytes, parseLimit } from '../ui/sizes.ts';

/** Options of `stowage diff`. */
export interface DiffOptions {
  limit: string;
  maxBytes: string;
  details?: boolean;
  exitCode?: boolean;
}

/** Of how many artifacts values are loaded for the table of two runs. */
const MAX_EXPLAINED = 100;

const KINDS = { 1: 'runs', 2: 'runs', 3: 'steps', 4: 'tasks', 5: 'tasks' } as const;

/** `stowage diff <a> <b>` */
export async function diff(
  invocation: Invocation,
  textOfA: string,
  textOfB: string,
  options: DiffOptions,
): Promise<void> {
  const pathOfA = parseStorePath(textOfA, 1, 5);
  const pathOfB = parseStorePath(textOfB, 1, 5);
  const kind = kindOf(pathOfA);
  const areFlows = pathOfA.run === undefined || pathOfB.run === undefined;
  if (kindOf(pathOfB) !== kind && !areFlows) {
    throw usageError(`${textOfA} and ${textOfB} cannot be compared: name two runs, two steps, or two tasks.`);
  }
  const limits = { limit: parseLimit(options.limit), maxBytes: parseBytes(options.maxBytes, '--max-bytes') };
  const explained = kind === 'tasks' || options.details ? Number.POSITIVE_INFINITY : MAX_EXPLAINED;
  await withStore(invocation, async (store) => {
    const a = await reachRun(store.storage, pathOfA, invocation);
    const b = await reachRun(store.storage, pathOfB, invocation);
    const comparison = await compare(invocation, store, { a, b, kind }, limits.limit);
    const unexplained = await explainAll(invocation, store, comparison.tasks, explained, limits);
    if (invocation.json) await invocation.output.json(comparisonJson(comparison));
    else await printComparison(invocation, comparison, options.details ?? false, unexplained);
    if (options.exitCode && comparison.isDifferent) invocation.exitCode = EXIT.failed;
  });
}

function kindOf(path: StorePath): Comparison['kind'] {
  return KINDS[Object.keys(path).length as keyof typeof KINDS];
}
