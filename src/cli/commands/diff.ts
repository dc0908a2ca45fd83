import type { StorePath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { withStore } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { parseBytes, parseLimit } from '../ui/sizes.ts';

interface DiffOptions {
  limit: string;
  maxBytes: string;
  details?: boolean;
  tasks?: string;
  exitCode?: boolean;
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
    const most = kind === 'tasks' || options.details ? Number.POSITIVE_INFINITY : MAX_EXPLAINED;
    await withStore(invocation, async (store) => {
      const { reachRun } = await import('../reach.ts');
      const { compare, explainAll } = await import('../diff/comparison.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      const comparison = await withMeantRun(invocation, store, pathOfA, async (meantA) => {
        const a = await reachRun(store, meantA);
        return withMeantRun(invocation, store, pathOfB, async (meantB) =>
          compare(store, { a, b: await reachRun(store, meantB), kind }, { limit, maxTasks }),
        );
      });
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

function kindOf(path: StorePath): 'runs' | 'steps' | 'tasks' {
  return (['runs', 'runs', 'steps', 'tasks', 'tasks'] as const)[Object.keys(path).length - 1] ?? 'tasks';
}
