import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, type } from 'node:os';

/** Where and when was measured. The load tells how much others used the machine meanwhile. */
export function describeEnvironment({ fileSystem, versions, rounds, loadBefore }) {
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    Node: process.version,
    Metaflow: versions?.metaflow ?? 'not here; recorded figures of 2.19',
    Python: versions?.python ?? '-',
    processor: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores`,
    system: type(),
    'file system': fileSystem,
    rounds,
    'load average, before and after': `${load(loadBefore)}, ${load(loadavg())}`,
  };
}

function load([oneMinute]) {
  return oneMinute.toFixed(2);
}

function commit() {
  const git = (...args) =>
    execFileSync('git', args, { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') ? ', with changes' : '');
  } catch {
    return 'unknown';
  }
}
