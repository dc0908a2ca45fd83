#!/usr/bin/env node
import { EXIT } from './exit-codes.ts';
import { report } from './report.ts';
import { askedFor, type End, exitCodeOfEnd, runCli } from './run-cli.ts';

const ending = new AbortController();
const argv = process.argv.slice(2);
const asked = askedFor(argv);

function endBy(end: End): void {
  // A second signal does not wait.
  if (ending.signal.aborted) process.exit(exitCodeOfEnd(end));
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
  report(error, asked, process.stderr);
  process.exitCode = EXIT.failed;
});
process.stderr.on('error', () => {}); // nowhere left to tell
// What dependencies warn of is not for those who use the command.
if (!asked.debug) process.removeAllListeners('warning');

const exitCode = await runCli(argv, process, ending.signal);
// What nobody reads any more would keep the process waiting.
if (ending.signal.aborted) process.exit(exitCode);
process.exitCode ||= exitCode;
