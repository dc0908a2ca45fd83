import { readFileSync } from 'node:fs';
import { Argument, Command, Option } from 'commander';
import { addCacheCommands } from './cache-program.ts';
import type { StoreCopyOptions } from './commands/copy.ts';
import type { DiffOptions } from './commands/diff.ts';
import type { PutOptions } from './commands/put.ts';
import type { UploadsOptions } from './commands/uploads.ts';
import type { Shell } from './completion/scripts.ts';
import type { Execute } from './execute.ts';
import { exampleLines, fitted, HELP_LAYOUT, helpWidthOf } from './ui/help-layout.ts';

const EXAMPLES = [
  ['stowage runs', 'the newest runs of all flows'],
  ['stowage show Train/2026-01-31T08:00:00Z', 'a run: its steps, tasks and artifacts'],
  ['stowage get Train/r7/fit/0 metrics', 'an artifact, as JSON or text'],
  ['stowage get Train/r7/fit/0 -d results', 'all artifacts of a task, a file each'],
  ['stowage put Train/r7/load/0 raw=a.csv', 'a file, as artifact of a new attempt'],
  ['stowage log Train/r7/fit/0 -f', 'what a task prints, as it comes'],
  ['stowage diff Train/r7 Train/r8', 'what changed from one run to another'],
  ['stowage stat --store ./other --json', 'how much lies in another store'],
  ['stowage copy ./.stowage s3://bucket/s', 'what is new, to a bucket'],
  ['stowage cache explain 3f01a2b3', 'why a cached task ran again'],
] as const;

const WHICH_STORE = `The store is that of --store, else that of the environment, else ./.stowage.
In the environment, STOWAGE_DEFAULT_DATASTORE names the kind (local, s3, azure,
gs), and STOWAGE_DATASTORE_SYSROOT_LOCAL, _S3, _AZURE or _GS the address.`;

/**
 * The whole command line. The commands themselves, and with them the store, are loaded when one runs, so that help and
 * mistakes are answered at once.
 */
export function buildProgram(execute: Execute): Command {
  const program = new Command('stowage')
    .description(
      'Shows what task pipelines stored: runs, tasks, artifacts, logs and cached results. Adds files, and copies stores.',
    )
    .usage('<command> [options]')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .option('--store <uri>', 'where the store lies: a path or a URI')
    .option('--json', 'one JSON document instead of tables')
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .option('--debug', 'errors with their stacks, and warnings')
    .configureHelp(HELP_LAYOUT)
    .addHelpText('after', ({ command, error }) => {
      const width = helpWidthOf(command, error);
      return `\nExamples:\n${exampleLines(EXAMPLES, width)}\n\n${fitted(WHICH_STORE, width)}`;
    });

  program
    .command('runs')
    .description('list runs, newest first')
    .argument('[flow]', 'only runs of this flow')
    .option('-n, --limit <count>', 'how many at most; "all" for no limit', '50')
    .addOption(
      new Option('--tag <tag>', 'only runs with this tag; repeat it for runs with all of them').argParser(
        collect,
      ),
    )
    .addOption(
      new Option('--status <status>', 'only runs of this status').choices(['open', 'done', 'failed']),
    )
    .option('--since <age>', 'only runs made since: an age (12h, 7d) or a date (2026-01-31)')
    .action((flow: string | undefined, options: { limit: string }, command: Command) =>
      execute(command, async (invocation) => {
        const { runs } = await import('./commands/runs.ts');
        await runs(invocation, flow, options);
      }),
    );

  program
    .command('ls')
    .description('list what lies below a path: flows, runs, steps, tasks, attempts, artifacts')
    .argument('[path]', '<flow>[/<run>[/<step>[/<task>[/<attempt>]]]]')
    .option('-n, --limit <count>', 'how many at most, or "all"; default: 50 of runs, all of anything else')
    .option('-l, --long', 'of flows: when the newest run was made (slower)')
    .action((path: string | undefined, options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { ls } = await import('./commands/ls.ts');
        await ls(invocation, path, options);
      }),
    );

  program
    .command('show')
    .description('show a run as a tree, or a task with its attempts, metadata, artifacts and logs')
    .argument('<path>', '<flow>/<run>[/<step>[/<task>[/<attempt>]]]')
    .addOption(attemptOption())
    .action((path: string, options: { attempt?: string }, command: Command) =>
      execute(command, async (invocation) => {
        const { show } = await import('./commands/show.ts');
        await show(invocation, path, options);
      }),
    );

  program
    .command('get')
    .description('write artifacts: values as JSON, strings as text, bytes as they are')
    .argument('<path>', '<flow>/<run>/<step>/<task>[/<attempt>]')
    .argument('[artifact...]', 'names of artifacts; with -d, all if none is named')
    .option('-o, --output <file>', 'write to this file, whole or not at all; "-" for stdout')
    .option('-d, --dir <folder>', 'write to a folder, a file for each artifact')
    .addOption(new Option('--format <form>', 'the form to write').choices(['json', 'csv', 'text', 'bytes']))
    .option('--bytes', 'the serialized bytes as they are: --format bytes')
    .option('--force', 'replace files that exist; print any length to a terminal')
    .addOption(attemptOption())
    .option('--allow-not-done', 'read an attempt though it failed')
    .action((path: string, artifacts: string[], options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { get } = await import('./commands/get.ts');
        await get(invocation, path, artifacts, options);
      }),
    );

  program
    .command('put')
    .description('save files as the artifacts of a new attempt of a task')
    .argument('<path>', '<flow>/<run>/<step>/<task>[/<attempt>]; default: the next attempt')
    .argument('<artifact...>', '<name>=<file>, "-" for stdin')
    .addOption(
      new Option('--as <form>', 'what the files become').choices(['bytes', 'text', 'json']).default('bytes'),
    )
    .addOption(
      new Option(
        '--metadata <key=value>',
        'metadata of the attempt, as JSON or text; repeat it for more',
      ).argParser(collect),
    )
    .addOption(
      new Option('--tag <tag>', 'a tag for the run that this makes; repeat it for more').argParser(collect),
    )
    .action((path: string, artifacts: string[], options: PutOptions, command: Command) =>
      execute(command, async (invocation) => {
        const { put } = await import('./commands/put.ts');
        await put(invocation, path, artifacts, options);
      }),
    );

  program
    .command('log')
    .description('write the logs of a task, or of all tasks of a step or run')
    .argument('<path>', '<flow>/<run>[/<step>[/<task>[/<attempt>]]]')
    .option('-f, --follow', 'print what is logged from now on, until the end')
    .option('-n, --tail <lines>', 'only this many last lines of each log, or "all"')
    .option('--source <name>', 'only what this source wrote (task, runtime, ...)')
    .option('--stream <name>', 'only this stream (stdout, stderr, ...)')
    .addOption(attemptOption())
    .action((path: string, options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { log } = await import('./commands/log.ts');
        await log(invocation, path, options);
      }),
    );

  program
    .command('diff')
    .description('compare two tasks, two steps or two runs: what differs, and how')
    .argument('<a>', '<flow>/<run>[/<step>[/<task>[/<attempt>]]]')
    .argument('<b>', '<flow>/<run>[/<step>[/<task>[/<attempt>]]]')
    .option('-n, --limit <count>', 'how many changes of each artifact; "all" for no limit', '20')
    .option('--max-bytes <size>', 'larger values are not loaded', '10MB')
    .option('--details', 'for runs and steps: all changes, below the table')
    .option('--exit-code', 'exit with 1 if artifacts or tasks differ')
    .action((a: string, b: string, options: DiffOptions, command: Command) =>
      execute(command, async (invocation) => {
        const { diff } = await import('./commands/diff.ts');
        await diff(invocation, a, b, options);
      }),
    );

  program
    .command('stat')
    .description('count runs, tasks, attempts and artifacts, and the bytes they take')
    .argument('[path]', '<flow>[/<run>[/<step>[/<task>]]]')
    .addOption(
      new Option('--by <level>', 'what each row counts; default: the level below the path').choices([
        'flow',
        'run',
        'step',
        'artifact',
      ]),
    )
    .action((path: string | undefined, options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { stat } = await import('./commands/stat.ts');
        await stat(invocation, path, options);
      }),
    );

  program
    .command('uploads')
    .description('find uploads that never ended, and remove them')
    .option('--older-than <age>', 'only those older than this (12h, 7d)', '7d')
    .option('--yes', 'remove them; without it they are only shown')
    .action((options: UploadsOptions, command: Command) =>
      execute(command, async (invocation) => {
        const { uploads } = await import('./commands/uploads.ts');
        await uploads(invocation, options);
      }),
    );

  program
    .command('copy')
    .description('copy a run, a flow or a whole store to another store; only what is missing there')
    .argument('<from>', 'the store to read: a path or a URI')
    .argument('<to>', 'the store to write, which is made if there is none')
    .argument('[path]', '<flow>[/<run>]; default: the whole store')
    .option('--dry-run', 'only tell what would be copied')
    .option('--concurrency <count>', 'how many tasks at a time', '4')
    .action(
      (from: string, to: string, path: string | undefined, options: StoreCopyOptions, command: Command) =>
        execute(command, async (invocation) => {
          const { copy } = await import('./commands/copy.ts');
          await copy(invocation, from, to, path, options);
        }),
    );

  addCacheCommands(program, execute);

  program
    .command('completion')
    .description('print a script by which a shell completes commands, options, paths and artifacts')
    .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(['bash', 'zsh', 'fish']))
    .action((shell: Shell, _options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { completion } = await import('./commands/completion.ts');
        await completion(invocation, shell);
      }),
    );

  return program;
}

function attemptOption(): Option {
  return new Option('--attempt <n>', 'this attempt, or "latest-done"; default: the latest started');
}

/** The values of an option that may be given again. */
function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
