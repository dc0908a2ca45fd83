import { type Command, CommanderError } from 'commander';
import { StowageError } from '../errors.ts';
import { CliError, usageError } from './cli-error.ts';
import { COMPLETE } from './completion-call.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { type CommonOptions, Invocation } from './invocation.ts';
import { buildProgram, type Execute } from './program.ts';
import { flushed, Output, type OutputStream, widthOf } from './ui/output.ts';
import { clearProgress } from './ui/progress.ts';
import type { ReportStream } from './ui/report.ts';
import { WaitingNotice } from './waiting-notice.ts';

/** Why a command is ended early: the reason of its signal; an error where the standard output takes no more. */
export type End = 'pipe closed' | 'interrupted' | 'terminated' | CliError;

const EXIT_OF_END: Readonly<Record<Exclude<End, CliError>, number>> = {
  'pipe closed': EXIT.ok,
  interrupted: EXIT.interrupted,
  terminated: EXIT.terminated,
};

/** How wide help is in a file or pipe. */
const HELP_WIDTH = 80;

/** Where a call of the command line writes. */
export interface CliStreams {
  stdout: OutputStream;
  stderr: ReportStream;
}

/** Runs one call of the command line, and resolves to its exit code; never throws. */
export async function runCli(
  argv: readonly string[],
  { stdout, stderr }: CliStreams,
  signal: AbortSignal,
): Promise<number> {
  if (argv[0] === COMPLETE) {
    const { answer } = await import('./completion/answer.ts');
    await answer(argv.slice(1), (text) => stdout.write(text), signal);
    return EXIT.ok;
  }
  const asked = askedFor(argv);
  const say = async (error: unknown): Promise<void> => {
    const { report } = await import('./ui/report.ts');
    report(error, asked, stderr);
  };
  let exitCode: number = EXIT.ok;
  const execute: Execute = async (command, work) => {
    const options = command.optsWithGlobals<CommonOptions>();
    const output = new Output(stdout, signal, options);
    const { note } = await import('./ui/report.ts');
    const remark = (text: string): void => {
      clearProgress();
      note(text, stderr);
    };
    const invocation = new Invocation(options, { output, signal, note: remark });
    const waiting = new WaitingNotice((text) => invocation.note(text));
    try {
      await work(invocation);
    } finally {
      waiting.end();
      clearProgress();
    }
    const summary = invocation.summary();
    if (summary) await say(summary.error);
    exitCode = summary?.exitCode ?? invocation.exitCode;
  };

  const program = buildProgram(execute);
  try {
    const helpInstead = divert(program, { stdout, stderr });
    await program.parseAsync(helpOfGroup(program, argv), { from: 'user' }).catch(async (thrown: unknown) => {
      if (!(thrown instanceof CommanderError)) throw thrown;
      if (thrown.exitCode === 0) return; // help, or the version
      if (thrown.code !== 'commander.help') throw asUsageError(thrown, helpFor(program, argv));
      const error = await noCommand(program, argv);
      if (asked.json || error.details.command !== undefined) throw error;
      stderr.write(helpInstead());
      exitCode = EXIT.usage;
    });
    await flushed(stdout, signal);
  } catch (error) {
    if (!signal.aborted) await say(error);
    exitCode = exitCodeOf(error);
  }
  if (!signal.aborted) return exitCode;
  const end = signal.reason as End;
  if (end instanceof CliError) await say(end);
  else if (end !== 'pipe closed') await say(new StowageError('ABORTED', `${end}.`));
  return exitCodeOfEnd(end);
}

/** What the arguments ask of every message, found before they are parsed. */
export function askedFor(argv: readonly string[]): { json: boolean; debug: boolean } {
  return { json: argv.includes('--json'), debug: argv.includes('--debug') };
}

export function exitCodeOfEnd(end: End): number {
  return end instanceof CliError ? exitCodeOf(end) : EXIT_OF_END[end];
}

/**
 * Commander reports by throwing, and {@link runCli} says it; help that was asked for is a result. Returns what gives the help
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
  const { didYouMean, suggest } = await import('../views/suggestions.ts');
  const meant = didYouMean(suggest(command, names));
  return usageError(`unknown command '${command}'.${meant} ${see}`, { command });
}

/** How to get help for the command that was called, or for the program. */
function helpFor(program: Command, argv: readonly string[]): string {
  const names: string[] = [];
  for (let called = calledIn(program, argv); called.parent; called = called.parent)
    names.unshift(called.name());
  return ['stowage help', ...names].join(' ');
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
