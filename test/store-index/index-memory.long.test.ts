import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FLOW, IndexScaleStore } from '../../bench/index-scale-store.mjs';
import { SqliteStorage } from '../../src/storage/sqlite.ts';
import { MIB } from '../content/contents.ts';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';

const worker = join(import.meta.dirname, 'workers/index-memory.mjs');
/** A heap of a fixed size: what grows is then no garbage that waits. */
const HEAP = ['--max-semi-space-size=1', '--max-old-space-size=24'];

// The peak is the system's own word, which only Linux gives to a process of itself alone.
describe.runIf(existsSync('/proc/self/status'))('memory of making an index', () => {
  it('does not grow with the number of attempts', async () => {
    const few = await overBytesOf(2_000);
    const many = await overBytesOf(16_000);
    expect(many - few).toBeLessThan(8 * MIB);
    expect(many).toBeLessThan(64 * MIB);
  });
});

async function overBytesOf(attempts: number): Promise<number> {
  const address = `sqlite:${join(scratchFolder(), 'runs.db')}`;
  const storage = await SqliteStorage.open(address);
  const flow = await openFlow({ flowName: FLOW, storage });
  await flow.createRun({ runId: 'first' });
  await new IndexScaleStore(storage.database).add(attempts);
  await storage.close();
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [...HEAP, worker, address]);
  expect(stderr).toBe('');
  const told = JSON.parse(stdout) as { attempts: number; overBytes: number };
  expect(told.attempts).toBe(attempts);
  return told.overBytes;
}
