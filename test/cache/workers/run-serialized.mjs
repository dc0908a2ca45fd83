// Calls one serialized task: takes the result that there is, or runs for a while and stores one. Says `ready`, waits for a line on
// standard input, says `running TOKEN` when it holds the lease, `working` once its attempt is open, and at the end how it went and which
// value it has.
// Usage: node run-serialized.mjs STORE KEY LEASE_MS RUN_MS NAME [RAW-DATA-PATH]; with `told` for RUN_MS it runs until it is given another line.
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowDataStore, TaskCache } from '../../../dist/index.js';

const [store, key, leaseMs, runMs, name, rawDataPath] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Train', storage: store, rawDataPath });
const cache = new TaskCache(flow.caStore, { signingKeys: false });

async function call() {
  const found = await cache.lookup(key);
  if (found.status === 'hit') return ['hit', heldBy(found)];
  const acquired = await cache.acquire(key, { seen: found.seen, leaseMs: Number(leaseMs) });
  if (acquired.status === 'hit') return ['waited', heldBy(acquired)];
  if (acquired.status === 'unserialized') throw acquired.error;
  const { lease } = acquired;
  try {
    process.stdout.write(`running ${lease.token}\n`);
    const taskId = String(lease.token);
    const attempt = await flow.task({ runId: 'r1', stepName: 'judge', taskId }, async (task) => {
      process.stdout.write('working\n');
      await (runMs === 'told' ? told.next() : sleep(Number(runMs)));
      await task.saveArtifacts({ value: name });
      return task.attempt;
    });
    const stored = await cache.store(key, entryOf(taskId, attempt), { lease, replaces: found.seen });
    if (stored.stored) return ['stored', name];
    return [stored.reason, stored.winner ? heldBy(stored.winner) : name];
  } finally {
    await lease.release();
  }
}

function entryOf(task, attempt) {
  const digest = '0'.repeat(64);
  const row = { name: 'value', type: 'string', encoding: 'string', key: digest, bytes: name.length };
  return {
    task: 'judge',
    scope: 'Train',
    version: '1',
    keyDescription: {},
    source: {
      flow: 'Train',
      run: 'r1',
      step: 'judge',
      task,
      attempt,
      session: '0'.repeat(26),
      metadataDigest: digest,
    },
    table: { artifacts: [{ ...row, inline: { json: name } }] },
  };
}

function heldBy({ entry }) {
  return entry.table.artifacts[0].inline.json;
}

const lines = createInterface({ input: process.stdin });
const told = lines[Symbol.asyncIterator]();
process.stdout.write('ready\n');
await told.next();
try {
  const [how, value] = await call();
  process.stdout.write(`${how} ${value}\n`);
} catch (error) {
  process.stdout.write(`error ${error.code ?? error}\n`);
}
lines.close();
process.stdin.destroy();
await flow.close();
