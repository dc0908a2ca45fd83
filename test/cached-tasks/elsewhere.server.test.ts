import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { TaskCacheFailure } from '../../src/cache/task-cache-failures.ts';
import { isStowageError } from '../../src/errors.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { noise, objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const run = promisify(execFile);
const worker = join(import.meta.dirname, 'workers', 'call-in-bucket.mjs');

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`processes with a bucket of ${server.name}`, () => {
    const inUse = useS3Server(server);

    it('hit what another one ran, small or large, and run again what was purged', async () => {
      const place = await inUse.newPlace();
      const call = async (bytes: number, serialize = false) => {
        const { stdout } = await run(process.execPath, [
          worker,
          JSON.stringify(place),
          `${bytes}`,
          `${serialize}`,
        ]);
        return JSON.parse(stdout) as Record<string, unknown>;
      };
      for (const bytes of [10, 400_000]) {
        const first = await call(bytes);
        expect(first).toMatchObject({ ran: true, hit: false, stored: true, bytes });
        expect(await call(bytes)).toEqual({ pid: first.pid, ran: false, hit: true, stored: true, bytes });
      }
      const storage = await S3Storage.open(place);
      const [pack] = await objectNames(storage, 'packs/');
      await storage.delete([pack as string]);
      expect(await call(400_000)).toMatchObject({ ran: true, missReason: 'purged', stored: true });
      expect(await call(400_000)).toMatchObject({ ran: false, hit: true });
    });

    it('run a serialized task once', async () => {
      const place = await inUse.newPlace();
      const args = [worker, JSON.stringify(place), '20', 'true'];
      const ends = await Promise.all(Array.from({ length: 4 }, () => run(process.execPath, args)));
      const results = ends.map(({ stdout }) => JSON.parse(stdout) as { pid: number; ran: boolean });
      expect(results.filter(({ ran }) => ran)).toHaveLength(1);
      expect(new Set(results.map(({ pid }) => pid)).size).toBe(1);
    });
  });
}

it('content at another place that is not there makes a hit a miss that is told, and a hit when it is back', async () => {
  const folder = scratchFolder();
  const [store, raw] = [join(folder, 'store'), join(folder, 'raw')];
  const define = async (options = {}) =>
    (await openFlow({ storage: store, ...options })).cachedTask({
      name: 'elsewhere',
      version: '1',
      run: () => ({ small: noise(20_000), large: noise(300_000, 2) }),
    });
  await (await define({ rawDataPath: raw }))();
  const told: TaskCacheFailure[] = [];
  const listen = (failure: unknown): void => void told.push(failure as TaskCacheFailure);
  subscribe('stowage:task-cache-failed', listen);
  // One that has read there, and one that never has.
  const known = await define();
  expect(await known.detailed()).toMatchObject({ hit: true });
  renameSync(raw, `${raw}-moved`);
  for (const task of [known, await define()]) {
    const missed = await task.detailed(undefined, { mode: 'readonly' });
    expect(missed).toMatchObject({ hit: false, missReason: 'place-absent' });
  }
  renameSync(`${raw}-moved`, raw);
  unsubscribe('stowage:task-cache-failed', listen);
  expect(told.map(({ reason }) => reason)).toEqual(['place-absent', 'place-absent']);
  expect(isStowageError(told[0]?.error, 'PLACE_NOT_FOUND')).toBe(true);
  expect(await known.detailed()).toMatchObject({ hit: true });
});

it('content at another place that was purged there makes a hit a miss', async () => {
  const rawDataPath = 'memory:cached-task-elsewhere';
  const raw = new MemoryStorage('cached-task-elsewhere');
  const storage = new MemoryStorage();
  const define = async (options = {}) =>
    (await openFlow({ storage, ...options })).cachedTask({
      name: 'elsewhere',
      version: '1',
      run: () => ({ small: noise(20_000), large: noise(300_000, 2) }),
    });
  await (await define({ rawDataPath }))();
  expect((await objectNames(storage)).filter((name) => /^(data|manifests|packs)\//.test(name))).toEqual([]);
  expect(await (await define()).detailed()).toMatchObject({ hit: true });
  const contents = (await objectNames(raw)).filter((name) => /\/(data|manifests|packs)\//.test(name));
  expect(contents.length).toBeGreaterThan(0);
  await raw.delete([contents.at(-1) as string]);
  expect(await (await define()).detailed()).toMatchObject({ hit: false, missReason: 'purged', stored: true });
  expect(await (await define()).detailed()).toMatchObject({ hit: true });
});
