import { StowageError } from '../errors.ts';
import type { JsonFitter } from '../views/fitted-json.ts';
import { CliError } from './cli-error.ts';
import { COMPLETE } from './declaration.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { type CommonOptions, Invocation } from './invocation.ts';
import type { CliStreams } from './parse.ts';
import type { Execute } from './program.ts';
import type { SharedStore } from './shared-store.ts';
import { flushed, Output } from './ui/output.ts';
import { clearProgress } from './ui/progress.ts';

/** Why a command is ended early: the reason of its signal; an error where the standard output takes no more. */
export type End = 'pipe closed' | 'interrupted' | 'terminated' | CliError;

const EXIT_OF_END: Readonly<Record<Exclude<End, CliError>, number>> = {
  'pipe closed': EXIT.ok,
  interrupted: EXIT.interrupted,
  terminated: EXIT.terminated,
};

/** Runs one call of the command line, on a store that is open where one is given, and resolves to its exit code; never throws. */
export async function runCli(
  argv: readonly string[],
  { stdout, stderr }: CliStreams,
  signal: AbortSignal,
  shared?: SharedStore,
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
    // Who calls a command within another reads no lines.
    const fit = await fitOf(options);
    const output = new Output(stdout, signal, { ...options, ...(shared ? { indent: 0 } : {}), fit });
    const { note } = await import('./ui/report.ts');
    const remark = (text: string): void => {
      clearProgress();
      note(text, stderr);
    };
    const to = { output, signal, note: remark, stderr };
    const invocation = new Invocation(options, { ...to, call: runCli, shared });
    try {
      await work(invocation);
    } finally {
      invocation.end();
    }
    const summary = invocation.summary();
    if (summary) await say(summary.error);
    exitCode = summary?.exitCode ?? invocation.exitCode;
  };

  try {
    const { parseAndRun } = await import('./parse.ts');
    const helpInstead = await parseAndRun(argv, { stdout, stderr }, execute);
    if (helpInstead) exitCode = EXIT.usage;
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

/** A document of fewer bytes would have room for little but what it tells of itself. */
const LEAST_FIT_BYTES = 20_000;

/**
 * What `--fit` asks for.
 *
 * @throws CliError `USAGE`
 */
async function fitOf({
  fit,
  json,
}: CommonOptions): Promise<{ maxBytes: number; fitter: JsonFitter } | undefined> {
  if (fit === undefined) return undefined;
  const { parseBytes } = await import('./ui/sizes.ts');
  const { usageError } = await import('./cli-error.ts');
  if (!json) throw usageError('--fit is for --json, whose document it cuts.');
  const maxBytes = parseBytes(fit, '--fit');
  if (maxBytes < LEAST_FIT_BYTES)
    throw usageError(`--fit is at least ${LEAST_FIT_BYTES} bytes, not ${JSON.stringify(fit)}.`);
  const { JsonFitter: Fitter } = await import('../views/fitted-json.ts');
  return { maxBytes, fitter: new Fitter() };
}

/** What the arguments ask of every message, found before they are parsed. What comes behind `--` is no option. */
export function askedFor(argv: readonly string[]): { json: boolean; debug: boolean } {
  const end = argv.indexOf('--');
  const options = end === -1 ? argv : argv.slice(0, end);
  return { json: options.includes('--json'), debug: options.includes('--debug') };
}

export function exitCodeOfEnd(end: End): number {
  return end instanceof CliError ? exitCodeOf(end) : EXIT_OF_END[end];
}
