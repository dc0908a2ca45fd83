import type { ServedPage } from '../../page/server.ts';
import type { RunFilter } from '../../views/runs.ts';
import { CliError, usageError } from '../cli-error.ts';
import type { CommandDeclaration, OptionDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import type { ChosenRuns } from '../page/export-store.ts';
import type { SharedStore } from '../shared-store.ts';
import { withSharedStore } from '../store.ts';
import { parseStorePath } from '../store-path.ts';
import { parseLimit } from '../ui/sizes.ts';
import { parseSince } from '../ui/times.ts';

interface UiOptions extends ExportOptions {
  port?: string;
  open?: boolean;
  export?: string;
}

/** What chooses the runs of an export, and how much of them is in it. */
interface ExportOptions {
  run?: readonly string[];
  flow?: string;
  tag?: readonly string[];
  status?: RunFilter['status'];
  since?: string;
  text?: string;
  limit?: string;
  tasks?: string;
}

const MAX_PORT = 65_535;
/** A page asks again what failed for a while; people see sooner why it waits. */
const SERVED_BUDGET_MS = 10_000;
/** So many runs are exported, and so many tasks of each have a page, unless others are asked for. */
const EXPORTED_RUNS = '20';
const EXPORTED_TASKS = '500';

const OF_EXPORTS: readonly OptionDeclaration[] = [
  {
    flags: '--run <path>',
    text: 'with --export: this run (<flow>/<run>); repeat it for more',
    repeats: true,
    completion: { path: 2 },
  },
  { flags: '--flow <flow>', text: 'with --export: only runs of this flow', completion: { path: 1 } },
  {
    flags: '--tag <tag>',
    text: 'with --export: only runs with this tag; repeat it for runs with all of them',
    repeats: true,
  },
  {
    flags: '--status <status>',
    text: 'with --export: only runs of this status',
    choices: ['open', 'done', 'failed', 'abandoned'] satisfies RunFilter['status'][],
  },
  {
    flags: '--since <age>',
    text: 'with --export: only runs made since: an age (12h, 7d) or a date (2026-01-31)',
  },
  {
    flags: '--text <text>',
    text: 'with --export: only runs that say so in their path, a tag or the parameters',
  },
  {
    flags: '-n, --limit <count>',
    text: `with --export: how many runs at most, or "all"; default: ${EXPORTED_RUNS}`,
  },
  {
    flags: '--tasks <count>',
    text: `with --export: of each run the pages of how many tasks at most, or "all"; default: ${EXPORTED_TASKS}`,
  },
];

/** `stowage ui` */
export const ui: CommandDeclaration = {
  name: 'ui',
  text: 'open a page of the store: runs, artifacts, lineage, the cache',
  options: [
    { flags: '--port <n>', text: 'the port; default: one that is free' },
    { flags: '--open', text: 'open the page in the browser' },
    {
      flags: '--export <folder>',
      text: 'write a page of some runs to this folder, which needs no server',
      completion: 'folder',
    },
    ...OF_EXPORTS,
  ],
  async run(invocation: Invocation, _none: [], given: UiOptions) {
    const { port, open = false, export: folder, ...chosenBy } = given;
    if (folder !== undefined) return exportTo(invocation, folder, given);
    const [other] = Object.keys(chosenBy);
    if (other !== undefined) throw usageError(`--${other} is for --export: name the folder to write.`);
    const chosen = port === undefined ? 0 : parsePort(port);
    const serve = async (shared: SharedStore): Promise<void> => {
      const [{ servePage }, { storePage }] = await Promise.all([
        import('../../page/server.ts'),
        import('../page/store-page.ts'),
      ]);
      const page = await servePage(storePage(shared, invocation.call), { port: chosen }).catch(
        (error: unknown) => {
          throw cannotListen(error, chosen);
        },
      );
      try {
        await show(invocation, page, open);
        await ended(invocation.signal);
      } finally {
        await page.close();
      }
    };
    await withSharedStore(invocation, serve, { budgetMs: SERVED_BUDGET_MS });
  },
};

/** Writes a page that needs no server. */
async function exportTo(invocation: Invocation, folder: string, options: UiOptions): Promise<void> {
  const { port, open = false, tasks = EXPORTED_TASKS } = options;
  if (folder === '') throw usageError('--export names no folder.');
  (await import('../../storage/home-folder.ts')).refuseHome(folder);
  if (port !== undefined) throw usageError('--port is for a page that is served; an export has no server.');
  const choice = { folder, runs: chosenRuns(options), tasksOfRun: parseLimit(tasks, '--tasks') };
  await withSharedStore(invocation, async (shared) => {
    const { exportStore } = await import('../page/export-store.ts');
    const url = await exportStore(invocation, shared, choice);
    if (!open) return;
    const { openInBrowser } = await import('../files/open-in-browser.ts');
    await openInBrowser(url);
  });
}

function chosenRuns({ run, flow: name, tag, status, since, text, limit }: ExportOptions): ChosenRuns {
  if (run !== undefined) {
    const filters = { flow: name, tag, status, since, text, limit };
    const [filter] = Object.entries(filters).find(([, value]) => value !== undefined) ?? [];
    if (filter !== undefined)
      throw usageError(`--run names a run, and --${filter} filters runs; give one of them.`);
    for (const one of run) parseStorePath(one, 2, 2);
    return { named: run };
  }
  const { flow } = parseStorePath(name, 0, 1);
  const createdSinceMs = since === undefined ? undefined : parseSince(since, '--since');
  const filter = { tags: tag, status, createdSinceMs, text };
  return { flow, filter, limit: parseLimit(limit ?? EXPORTED_RUNS) };
}

async function show(invocation: Invocation, { url }: ServedPage, open: boolean): Promise<void> {
  const { output, json } = invocation;
  if (json) await output.json({ url }, 0);
  else await output.line(url);
  invocation.note('the page is at this address, for you alone, until Ctrl-C ends it.');
  if (!open) return;
  const { leadingTo, openInBrowser, toTemporaryFile } = await import('../files/open-in-browser.ts');
  await openInBrowser(await toTemporaryFile('stowage-ui.html', leadingTo(url)));
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT) return Number(text);
  throw usageError(`--port is a number up to ${MAX_PORT}, not ${JSON.stringify(text)}.`);
}

function cannotListen(error: unknown, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const details = { port };
  if (code === 'EADDRINUSE') {
    const message = `Port ${port} is in use, by another stowage ui perhaps. Give another (--port), or leave it out for one that is free.`;
    return new CliError('PORT_IN_USE', message, { details, cause: error });
  }
  if (code !== 'EACCES') return error;
  return usageError(
    `Port ${port} is not for this user. Give one from 1024 on, or leave --port out.`,
    details,
  );
}
