import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import type { Invocation } from './invocation.ts';

/** Runs a command's work under the options that every command takes. */
export type Execute = (command: Command, work: (invocation: Invocation) => Promise<void>) => Promise<void>;

const EXAMPLES = `
Examples:
  stowage runs                            the newest runs of all flows
  stowage show Train/2026-01-31T08:00:00Z a run: its steps, tasks and artifacts
  stowage get Train/r7/fit/0 metrics      an artifact, as JSON or text
  stowage log Train/r7/fit/0              what a task printed
  stowage stat --store ./other --json     how much lies in another store

The store is ./.stowage, unless --store, or STOWAGE_DEFAULT_DATASTORE and
STOWAGE_DATASTORE_SYSROOT_LOCAL say otherwise.`;

/**
 * The whole command line. The commands themselves, and with them the store, are loaded when one runs, so that help and
 * mistakes are answered at once.
 */
export function buildProgram(execute: Execute): Command {
  const program = new Command('stowage')
    .description('Look at what task pipelines stored: runs, tasks, artifacts and logs.')
    .usage('<command> [options]')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .option('--store <uri>', 'where the store lies: a path or a URI')
    .option('--json', 'one JSON document instead of tables')
    .option('--no-color', 'no colours (as NO_COLOR)')
    .option('--debug', 'errors with their stacks, and warnings')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', EXAMPLES);

  program
    .command('runs')
    .description('list runs, newest first')
    .argument('[flow]', 'only runs of this flow')
    .option('-n, --limit <count>', 'how many at most; "all" for no limit', '50')
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
    .action((path: string | undefined, _options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { ls } = await import('./commands/ls.ts');
        await ls(invocation, path);
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
    .description('write an artifact: values as JSON, strings as text, bytes as they are')
    .argument('<path>', '<flow>/<run>/<step>/<task>[/<attempt>]')
    .argument('<artifact>', 'the name of the artifact')
    .option('-o, --output <file>', 'write to a file, which appears once it is whole; "-" for stdout')
    .option('--bytes', 'the serialized bytes as they are; not with --json')
    .addOption(attemptOption())
    .option('--allow-not-done', 'read an attempt that failed all the same')
    .action((path: string, artifact: string, options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { get } = await import('./commands/get.ts');
        await get(invocation, path, artifact, options);
      }),
    );

  program
    .command('log')
    .description('write the logs of a task, or of all tasks of a step or run')
    .argument('<path>', '<flow>/<run>[/<step>[/<task>[/<attempt>]]]')
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
    .command('stat')
    .description('count runs, tasks, attempts and artifacts, and the bytes they take')
    .argument('[path]', '<flow>[/<run>]')
    .action((path: string | undefined, _options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { stat } = await import('./commands/stat.ts');
        await stat(invocation, path);
      }),
    );

  return program;
}

function attemptOption(): Option {
  return new Option('--attempt <n>', 'this attempt, or "latest-done"; default: the latest started');
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
