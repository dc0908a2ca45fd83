import type { RunPath, StorePath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { parseBytes, parseLimit } from '../ui/sizes.ts';

interface DiffOptions {
  limit: string;
  maxBytes: string;
  details?: boolean;
  tasks?: string;
  exitCode?: boolean;
  brief?: boolean;
}

/** Values of so many artifacts are loaded for the table of two runs. */
const MAX_EXPLAINED = 100;

/** `stowage diff <a> <b>` */
export const diff: CommandDeclaration = {
  name: 'diff',
  text: 'compare two tasks, two steps or two runs: what differs, and how',
  arguments: [pathArgument('<a>', 2, 5), pathArgument('<b>', 2, 5)],
  options: [
    {
      flags: '-n, --limit <count>',
      text: 'how many changes of each artifact; "all" for no limit',
      default: '20',
    },
    { flags: '--max-bytes <size>', text: 'larger values are not loaded', default: '10MB' },
    { flags: '--details', text: 'for runs and steps: all changes, below the table' },
    {
      flags: '--tasks <count>',
      text: 'for runs and steps: so many tasks that differ at most; default: "all"',
    },
    {
      flags: '--brief',
      text: 'for runs: compare what their own records tell, and no tasks, however many there are',
    },
    { flags: '--exit-code', text: 'exit with 1 if artifacts or tasks differ' },
  ],
  async run(invocation: Invocation, [textOfA, textOfB]: [string, string], options: DiffOptions) {
    const pathOfA = parseStorePath(textOfA, 1, 5);
    const pathOfB = parseStorePath(textOfB, 1, 5);
    const kind = kindOf(pathOfA);
    const areFlows = pathOfA.run === undefined || pathOfB.run === undefined;
    if (kindOf(pathOfB) !== kind && !areFlows) {
      throw usageError(
        `${textOfA} and ${textOfB} cannot be compared: name two runs, two steps, or two tasks.`,
      );
    }
    const limit = parseLimit(options.limit);
    const maxTasks = parseLimit(options.tasks ?? 'all', '--tasks');
    const maxBytes = parseBytes(options.maxBytes, '--max-bytes');
    if (options.brief) return diffInBrief(invocation, [pathOfA, pathOfB], options);
    const most = kind === 'tasks' || options.details ? Number.POSITIVE_INFINITY : MAX_EXPLAINED;
    await withStore(invocation, async (store) => {
      const { compare, explainAll } = await import('../diff/comparison.ts');
      const comparison = await onMeant(invocation, store, [pathOfA, pathOfB], (meant) =>
        compare(store, { ...meant, kind }, { limit, maxTasks }),
      );
      const unexplained = await explainAll(invocation, store, comparison.tasks, most, { limit, maxBytes });
      if (invocation.json) {
        const { comparisonJson } = await import('../diff/diff-json.ts');
        await invocation.output.json(comparisonJson(comparison));
      } else {
        const { printComparison } = await import('../diff/print-comparison.ts');
        await printComparison(invocation, comparison, options.details ?? false, unexplained);
      }
      if (options.exitCode && comparison.isDifferent) invocation.exitCode = EXIT.failed;
    });
  },
};

/** Compares the records of two runs; `--max-bytes` and `--tasks` count for nothing. */
function diffInBrief(
  invocation: Invocation,
  paths: readonly [StorePath, StorePath],
  { limit: textOfLimit, details, exitCode }: DiffOptions,
): Promise<void> {
  if (paths.some(({ step }) => step !== undefined))
    throw usageError('--brief compares the records of two runs: name runs, or leave it out.');
  if (details) throw usageError('--details is of tasks, which --brief leaves out.');
  if (exitCode) throw usageError('--exit-code tells whether tasks differ, which --brief leaves out.');
  const limit = parseLimit(textOfLimit);
  return withStore(invocation, async (store) => {
    const { compareInBrief } = await import('../diff/comparison.ts');
    const [meant, runs] = await onMeant(
      invocation,
      store,
      paths,
      async (both) => [both, await compareInBrief(store, both, limit)] as const,
    );
    if (invocation.json) {
      const { briefComparisonJson } = await import('../diff/diff-json.ts');
      return invocation.output.json(briefComparisonJson(meant, runs));
    }
    const { printBriefComparison } = await import('../diff/print-comparison.ts');
    await printBriefComparison(invocation, meant, runs);
  });
}

/** Does work on two paths with the ids of the runs that they mean. */
async function onMeant<T>(
  invocation: Invocation,
  store: OpenStore,
  [pathOfA, pathOfB]: readonly [StorePath, StorePath],
  work: (meant: { a: RunPath; b: RunPath }) => Promise<T>,
): Promise<T> {
  const { reachRun } = await import('../reach.ts');
  const { withMeantRun } = await import('../meant-run.ts');
  return withMeantRun(invocation, store, pathOfA, async (meantA) => {
    const a = await reachRun(store, meantA);
    return withMeantRun(invocation, store, pathOfB, async (meantB) =>
      work({ a, b: await reachRun(store, meantB) }),
    );
  });
}

function kindOf(path: StorePath): 'runs' | 'steps' | 'tasks' {
  return (['runs', 'runs', 'steps', 'tasks', 'tasks'] as const)[Object.keys(path).length - 1] ?? 'tasks';
}
