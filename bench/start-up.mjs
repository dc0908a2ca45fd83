import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pairedDifferences, spread } from './statistics.mjs';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Beside bare Node stands what any ES module costs, whatever it contains: Stowage cannot do better than that. */
const COMMANDS = [
  { work: 'node -e 0', args: ['-e', '0'] },
  { work: 'an empty ES module', args: ['--input-type=module', '-e', '0'] },
  { work: 'import of the package', args: [path('../dist/index.js')], targetMs: 40 },
  { work: 'stowage --help', args: [path('../dist/cli/main.js'), '--help'], targetMs: 60 },
];

/** How long processes take from start to end, in turn, so that all see the same machine. */
export function measureStartUp({ rounds, log }) {
  const [bare, ...commands] = COMMANDS.filter(({ work, args }) => {
    const missing = args[0].endsWith('.js') && !existsSync(args[0]);
    if (missing) log(`skipped: ${work}, because ${args[0]} is not there; build it first`);
    return !missing;
  });
  const took = new Map([bare, ...commands].map((command) => [command, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const [command, times] of took) {
      const ms = runOnce(command);
      if (round >= 0) times.push(ms); // the first round only fills the caches of the system
    }
  }
  return [
    { work: bare.work, ms: spread(took.get(bare)) },
    ...commands.map((command) => ({
      work: command.work,
      ms: spread(took.get(command)),
      overBareMs: pairedDifferences(took.get(command), took.get(bare)),
      ...(command.targetMs ? { targetMs: command.targetMs } : {}),
    })),
  ];
}

function runOnce({ work, args }) {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ms = performance.now() - start;
  if (status !== 0) throw new Error(`${work} failed with exit code ${status}:\n${stderr}`);
  return ms;
}
