import type { Writable } from 'node:stream';
import { type Command, CommanderError } from 'commander';
import { StowageError } from '../errors.ts';
import { usageError } from './cli-error.ts';
import { COMPLETE } from './completion-call.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { type CommonOptions, Invocation } from './invocation.ts';
import { Output, type OutputStream } from './output.ts';
import { buildProgram, type Execute } from './program.ts';
import { note, report } from './report.ts';

/** Why a command is ended early: the reason of its signal. */
export type End = 'pipe closed' | 'interrupted' | 'terminated';

const EXIT_OF_END: Readonly<Record<End, number>> = {
  'pipe closed': EXIT.ok,
  interrupted: EXIT.interrupted,
  terminated: EXIT.terminated,
};

/** Where a call of the command line writes. */
export interface CliStreams {
  stdout: OutputStream;
  stderr: Writable;
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
  let exitCode: number = EXIT.ok;
  const execute: Execute = async (command, work) => {
    const options = command.optsWithGlobals<CommonOptions>();
    const output = new Output(stdout, signal, options);
    const invocation = new Invocation(options, { output, signal, note: (text) => note(text, stderr) });
    await work(invocation);
    const summary = invocation.summary();
    if (summary) report(summary.error, asked, stderr);
    exitCode = summary?.exitCode ?? invocation.exitCode;
  };

  const program = buildProgram(execute);
  try {
    divert(program, { stdout, stderr });
    await program.parseAsync(argv, { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.code === 'commander.help' && thrown.exitCode !== 0) {
      exitCode = EXIT.usage; // help was printed, for want of a command
    } else if (!(thrown instanceof CommanderError && thrown.exitCode === 0) && !signal.aborted) {
      const error = thrown instanceof CommanderError ? asUsageError(thrown, helpFor(program, argv)) : thrown;
      report(error, asked, stderr);
      exitCode = exitCodeOf(error);
    }
  }
  if (!signal.aborted) return exitCode;
  const end = signal.reason as End;
  if (end !== 'pipe closed') report(new StowageError('ABORTED', `${end}.`), asked, stderr);
  return exitCodeOfEnd(end);
}

/** What the arguments ask of every message, found before they are parsed. */
export function askedFor(argv: readonly string[]): { json: boolean; debug: boolean } {
  return { json: argv.includes('--json'), debug: argv.includes('--debug') };
}

export function exitCodeOfEnd(end: End): number {
  return EXIT_OF_END[end];
}

/** Commander reports by throwing, and {@link runCli} says it; help that was asked for is a result. */
function divert(program: Command, { stdout, stderr }: CliStreams): void {
  const writeOut = (text: string): void => {
    stdout.write(text);
  };
  const writeErr = (text: string): void => {
    stderr.write(text);
  };
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut, writeErr, outputError: () => {} });
  }
}

/** How to get help for the command that was called, or for the program. */
function helpFor(program: Command, argv: readonly string[]): string {
  const called = program.commands.find((command) => argv.includes(command.name()));
  return called ? `stowage help ${called.name()}` : 'stowage help';
}

function asUsageError({ code, message }: CommanderError, help: string): Error {
  const text = message
    .replace(/^error: /, '')
    .replace(/\n\(?(Did you mean .*\?)\)?$/, '. $1')
    .replaceAll('\n', ' ');
  const sentence = /[.?!]$/.test(text) ? text : `${text}.`;
  return usageError(`${sentence} See: ${help}`, { problem: code });
}
