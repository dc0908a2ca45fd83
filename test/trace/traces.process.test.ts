import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';

const WORKER = join(import.meta.dirname, 'workers/traced-work.mjs');

/** Runs the worker to its end, or kills it once it stands before call number `stops`. */
async function work(store: string, ran: string, stops?: number): Promise<string> {
  const args = [WORKER, store, ran, ...(stops === undefined ? [] : [String(stops)])];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (data) => {
    said += data;
    if (said.includes('stopped')) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return said;
}

describe('a worker that is killed between two traced calls', () => {
  it('is gone on from: what it recorded does not run again, also after a collection', async () => {
    const folder = scratchFolder();
    const [store, ran] = [join(folder, 'store'), join(folder, 'ran')];
    for (const stops of [2, 5]) {
      expect(await work(store, ran, stops)).toBe('stopped\n');
      const content = new ContentAddressedStore((await openFlow({ storage: store })).storage);
      await collectGarbage(content);
    }
    expect(await work(store, ran)).toBe('6\n');
    expect(existsSync(ran) && readFileSync(ran, 'utf8')).toBe('0\n1\n2\n3\n4\n5\n');
    const task = await (await openFlow({ storage: store })).getTaskDataStore('r1/fit/0');
    expect(task.attempt).toBe(2);
    const pages = (await task.get('pages')) as { page: number; bytes: Uint8Array }[];
    expect(pages.map(({ page, bytes }) => [page, bytes.length, bytes[0]])).toEqual(
      [0, 1, 2, 3, 4, 5].map((page) => [page, page % 2 === 0 ? 100_000 : 10, page]),
    );
  });
});
