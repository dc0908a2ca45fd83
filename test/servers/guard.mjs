// Runs a server for as long as this process's own input stays open, and removes its data afterwards. The tests hold the
// other end: however they end, killed included, the input ends with them, and so does the server.
// Usage: node guard.mjs DATA_FOLDER COMMAND [ARGUMENT...]
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

const KILL_AFTER_MS = 3_000;

const [folder, command, ...args] = process.argv.slice(2);
const server = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });

server.on('error', (error) => end(127, error.message));
server.on('exit', (code, signal) => end(code ?? 1, `${command} ended by ${signal ?? `exit code ${code}`}.`));
process.stdin.resume().on('end', stop).on('error', stop);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, stop);

function stop() {
  server.kill('SIGTERM');
  setTimeout(() => server.kill('SIGKILL'), KILL_AFTER_MS);
}

function end(code, why) {
  // The tests may be gone, and the other end of the output with them.
  process.stderr.on('error', () => {}).write(`${why}\n`);
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.exit(code);
}
