#!/usr/bin/env node
import { type Command, CommanderError } from 'commander';
import { StowageError } from '../errors.ts';
import { usageError } from './cli-error.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { type CommonOptions, Invocation } from './invocation.ts';
import { Output } from './output.ts';
import { buildProgram, type Execute } from './program.ts';
import { note, report } from './report.ts';

/** Why a command was ended early. */
type End = 'pipe closed' | 'interrupted' | 'terminated';

const EXIT_OF_END: Readonly<Record<End, number>> = {
  'pipe closed': EXIT.ok,
  interrupted: EXIT.interrupted,
  terminated: EXIT.terminated,
};

const ending = new AbortController();
const argv = process.argv.slice(2);
const asked = { json: argv.includes('--json'), debug: argv.includes('--debug') };

function endBy(end: End): void {
  // A second signal does not wait.
  if (ending.signal.aborted) process.exit(EXIT_OF_END[end]);
  ending.abort(end);
}

process.on('SIGINT', () => endBy('interrupted'));
process.on('SIGTERM', () => endBy('terminated'));
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read had enough (`| head`).
  if (error.code === 'EPIPE' || error.code === 'EOF') {
    if (!ending.signal.aborted) ending.abort('pipe closed' satisfies End);
    return;
  }
  report(error, asked);
  process.exitCode = EXIT.failed;
});
process.stderr.on('error', () => {}); // nowhere left to tell
// What dependencies warn of is not for those who use the command.
if (!asked.debug) process.removeAllListeners('warning');

const execute: Execute = async (command, work) => {
  const options = command.optsWithGlobals<CommonOptions>();
  const { signal } = ending;
  const output = new Output(process.stdout, signal, options);
  const invocation = new Invocation(options, { output, signal, note });
  await work(invocation);
  const summary = invocation.summary();
  if (!summary) return;
  report(summary.error, asked);
  process.exitCode = summary.exitCode;
};

try {
  const program = buildProgram(execute);
  quiet(program);
  await program.parseAsync(argv, { from: 'user' });
} catch (thrown) {
  const error = thrown instanceof CommanderError ? commanderFailure(thrown) : thrown;
  if (error !== undefined && !ending.signal.aborted) {
    report(error, asked);
    process.exitCode = exitCodeOf(error);
  }
}
if (ending.signal.aborted) {
  const end = ending.signal.reason as End;
  if (end !== 'pipe closed') report(new StowageError('ABORTED', `${end}.`), asked);
  // What nobody reads any more would keep the process waiting.
  process.exit(EXIT_OF_END[end]);
}

/** Commander reports by throwing, and this file says it. */
function quiet(program: Command): void {
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ outputError: () => {} });
  }
}

/** What commander found wrong; `undefined` where it only printed what was asked for. */
function commanderFailure({ code, message, exitCode }: CommanderError): Error | undefined {
  if (exitCode === 0) return undefined;
  if (code === 'commander.help') {
    process.exitCode = EXIT.usage; // help was printed, for want of a command
    return undefined;
  }
  const text = message
    .replace(/^error: /, '')
    .replace(/\n\(?(Did you mean .*\?)\)?$/, '. $1')
    .replaceAll('\n', ' ');
  const sentence = /[.?!]$/.test(text) ? text : `${text}.`;
  return usageError(`${sentence} See: stowage help`, { problem: code });
}
