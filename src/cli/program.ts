import { readFileSync } from 'node:fs';
import { Argument, Command, Option } from 'commander';
import { COMMANDS, COMMON_OPTIONS, HELP_OPTION, HELP_TEXT, VERSION_OPTION } from './command-table.ts';
import type { ArgumentDeclaration, CommandDeclaration, OptionDeclaration } from './declaration.ts';
import type { Invocation } from './invocation.ts';
import { exampleLines, fitted, HELP_LAYOUT, helpWidthOf } from './ui/help-layout.ts';

/** Runs a command's work under the options that every command takes. */
export type Execute = (command: Command, work: (invocation: Invocation) => Promise<void>) => Promise<void>;

const EXAMPLES = [
  ['stowage runs', 'the newest runs of all flows'],
  ['stowage show Train/2026-01-31T08:00:00Z', 'a run: its steps, tasks and artifacts'],
  ['stowage ls Train/latest --status failed', 'tasks of the newest run that failed'],
  ['stowage get Train/r7/fit/0 metrics', 'an artifact, as JSON or text'],
  ['stowage get Train/r7/fit/0 -d results', 'all artifacts of a task, a file each'],
  ['stowage get Eval/r7/judge --format csv', 'all tasks of a step, as one table'],
  ['stowage put Train/r7/load/0 raw=a.csv', 'a file, as artifact of a new attempt'],
  ['stowage log Train/r7/fit/0 -f', 'what a task prints, as it comes'],
  ['stowage diff Train/r7 Train/r8', 'what changed from one run to another'],
  ['stowage stat --store ./other --json', 'how much lies in another store'],
  ['stowage copy ./.stowage s3://bucket/s', 'what is new, to a bucket'],
  ['stowage cache explain 3f01a2b3', 'why a cached task ran again'],
] as const;

const WHICH_RUN = `In a path, a run is its id, the beginning of an id, latest (the newest run of the
flow), or latest-done (the newest that was finished as done).`;

const WHICH_STORE = `The store is that of --store, else that of the environment, else ./.stowage.
In the environment, STOWAGE_DEFAULT_DATASTORE names the kind (local, s3, azure,
gs, sqlite, postgres), and STOWAGE_DATASTORE_SYSROOT_LOCAL, _S3, _AZURE, _GS,
_SQLITE or _POSTGRES the address.`;

/** The whole command line, as the table of commands declares it. */
export function buildProgram(execute: Execute): Command {
  const program = new Command('stowage')
    .description(
      'Shows what task pipelines stored: runs, tasks, artifacts, logs and cached results. Adds files, and copies stores.',
    )
    .usage('<command> [options]')
    .version(version(), VERSION_OPTION.flags, VERSION_OPTION.text)
    .helpOption(HELP_OPTION.flags, HELP_OPTION.text)
    .helpCommand('help [command]', HELP_TEXT)
    .configureHelp(HELP_LAYOUT)
    .addHelpText('after', ({ command, error }) => {
      const width = helpWidthOf(command, error);
      return `\nExamples:\n${exampleLines(EXAMPLES, width)}\n\n${fitted(WHICH_RUN, width)}\n\n${fitted(WHICH_STORE, width)}`;
    });
  for (const option of COMMON_OPTIONS) program.addOption(toOption(option));
  for (const declared of COMMANDS) {
    const command = program.command(declared.name).description(declared.text);
    if (!('commands' in declared)) {
      declare(command, declared, execute);
      continue;
    }
    command.usage('<command> [options]');
    for (const member of declared.commands) {
      declare(command.command(member.name).description(member.text), member, execute);
    }
  }
  return program;
}

function declare(command: Command, declared: CommandDeclaration, execute: Execute): void {
  for (const argument of declared.arguments ?? []) command.addArgument(toArgument(argument));
  for (const option of declared.options ?? []) command.addOption(toOption(option));
  command.action((...given: unknown[]) => {
    const args = given.slice(0, -2) as never;
    const options = given.at(-2) as never;
    return execute(command, (invocation) => declared.run(invocation, args, options));
  });
}

function toArgument({ form, text, choices }: ArgumentDeclaration): Argument {
  const argument = new Argument(form, text);
  return choices ? argument.choices(choices) : argument;
}

function toOption({ flags, text, choices, repeats, default: value }: OptionDeclaration): Option {
  const option = new Option(flags, text);
  if (choices) option.choices(choices);
  if (value !== undefined) option.default(value);
  if (repeats) option.argParser((one: string, before: readonly string[] = []) => [...before, one]);
  return option;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
