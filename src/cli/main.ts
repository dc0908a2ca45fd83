#!/usr/bin/env node
import { outputFailed } from './files/write-errors.ts';
import { askedFor, type End, exitCodeOfEnd, runCli } from './run-cli.ts';
import { clearProgress } from './ui/progress.ts';

const ending = new AbortController();
const argv = process.argv.slice(2);

function endBy(end: End): void {
  // A second signal does not wait.
  if (ending.signal.aborted) {
    clearProgress();
    process.exit(exitCodeOfEnd(end));
  }
  ending.abort(end);
}

process.on('SIGINT', () => endBy('interrupted'));
process.on('SIGTERM', () => endBy('terminated'));
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (ending.signal.aborted) return;
  // Whoever read had enough (`| head`).
  const isClosed = error.code === 'EPIPE' || error.code === 'EOF';
  ending.abort((isClosed ? 'pipe closed' : outputFailed(error)) satisfies End);
});
process.stderr.on('error', () => {}); // nowhere left to tell
// What dependencies warn of is not for those who use the command.
if (!askedFor(argv).debug) process.removeAllListeners('warning');

const exitCode = await runCli(argv, process, ending.signal);
// What nobody reads any more would keep the process waiting.
if (ending.signal.aborted) process.exit(exitCode);
process.exitCode = exitCode;
