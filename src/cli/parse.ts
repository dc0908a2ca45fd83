import { type Command, CommanderError } from 'commander';
import { type CliError, usageError } from './cli-error.ts';
import { buildProgram, type Execute } from './program.ts';
import { type OutputStream, widthOf } from './ui/output.ts';
import type { ReportStream } from './ui/report.ts';

/** Where a call of the command line writes. */
export interface CliStreams {
  stdout: OutputStream;
  stderr: ReportStream;
}

/** How wide help is in a file or pipe. */
const HELP_WIDTH = 80;

/**
 * Runs the command that the arguments name, or prints the help that they ask for. Resolves to whether it printed help because no command
 * was named.
 *
 * @throws CliError `USAGE`, and whatever the command throws
 */
export async function parseAndRun(
  argv: readonly string[],
  streams: CliStreams,
  execute: Execute,
): Promise<boolean> {
  const program = buildProgram(execute);
  const helpInstead = divert(program, streams);
  try {
    await program.parseAsync(helpOfGroup(program, argv), { from: 'user' });
    return false;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return false; // help, or the version
    if (thrown.code !== 'commander.help') throw asUsageError(thrown, helpFor(program, argv));
    const error = await noCommand(program, argv);
    if (argv.includes('--json') || error.details.command !== undefined) throw error;
    streams.stderr.write(helpInstead());
    return true;
  }
}

/**
 * Commander reports by throwing, and {@link parseAndRun} says it; help that was asked for is a result. Returns what gives the help
 * that commander would print in place of an error.
 */
function divert(program: Command, { stdout, stderr }: CliStreams): () => string {
  let helpInstead = '';
  const output = {
    writeOut: (text: string): void => {
      stdout.write(text);
    },
    writeErr: (text: string): void => {
      helpInstead += text;
    },
    outputError: () => {},
    getOutHelpWidth: () => widthOf(stdout) ?? HELP_WIDTH,
    getErrHelpWidth: () => widthOf(stderr) ?? HELP_WIDTH,
  };
  for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])])
    command.exitOverride().configureOutput(output);
  return () => helpInstead;
}

/** `help cache ls` is what commander knows as `cache help ls`. */
function helpOfGroup(program: Command, argv: readonly string[]): readonly string[] {
  const [help, name, command, ...rest] = argv;
  const group = program.commands.find((one) => one.name() === name && one.commands.length > 0);
  const isAsked = help === 'help' && group !== undefined && command !== undefined && !command.startsWith('-');
  return isAsked ? [group.name(), 'help', command, ...rest] : argv;
}

/** No command was named, or `help` one that there is not, whose name is in the details. */
async function noCommand(program: Command, argv: readonly string[]): Promise<CliError> {
  const group = calledIn(program, argv);
  const see = `See: ${helpFor(program, argv)}`;
  const names = group.commands.map((one) => one.name());
  const asked = argv.includes('help') ? argv.slice(argv.indexOf('help') + 1) : [];
  const command = asked.find((word) => !word.startsWith('-') && word !== group.name());
  if (command === undefined) {
    const which = group === program ? '' : ` of ${group.name()}: ${names.join(', ')}`;
    return usageError(`Name a command${which}. ${see}`);
  }
  const { didYouMean, suggest } = await import('../options/suggestions.ts');
  const meant = didYouMean(suggest(command, names));
  return usageError(`unknown command '${command}'.${meant} ${see}`, { command });
}

/** How to get help for the command that was called, or for the program. */
function helpFor(program: Command, argv: readonly string[]): string {
  const names: string[] = [];
  for (let called = calledIn(program, argv); called.parent; called = called.parent)
    names.unshift(called.name());
  return names.length === 0 ? 'stowage help' : `stowage help ${names.join(' ')}`;
}

/** The command that was called, or that help is asked for, as far as there is one. */
function calledIn(program: Command, argv: readonly string[]): Command {
  const isName = (word: string, index: number): boolean =>
    !word.startsWith('-') && word !== 'help' && argv[index - 1] !== '--store';
  let called = program;
  for (const word of argv.filter(isName)) {
    const next = called.commands.find((command) => command.name() === word);
    if (!next) break;
    called = next;
  }
  return called;
}

function asUsageError({ code, message }: CommanderError, help: string): Error {
  const text = message
    .replace(/^error: /, '')
    .replace(/^command-argument value ('.*') is invalid for argument '(.*?)'/, '$1 is no $2')
    .replace(/\n\(?(Did you mean .*\?)\)?$/, '. $1')
    .replaceAll('\n', ' ');
  const sentence = /[.?!]$/.test(text) ? text : `${text}.`;
  return usageError(`${sentence} See: ${help}`, { problem: code });
}
