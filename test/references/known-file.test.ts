import { statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { KnownFile } from '../../src/references/known-file.ts';
import { LocalFile } from '../../src/references/local-file.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { afterThisTest } from '../cleanups.ts';
import { objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { until } from '../waiting.ts';

/** A file of so many bytes is known to other processes, too. */
const LARGE = 16 * 1024 * 1024;

beforeEach(() => {
  vi.stubEnv('STOWAGE_FILE_INDEX', join(scratchFolder(), 'index'));
  afterThisTest(() => vi.unstubAllEnvs());
});

/** A file that no clock can tell to have been written just now. */
async function settled(bytes: number | string): Promise<string> {
  const path = join(scratchFolder(), 'x.bin');
  writeFileSync(path, typeof bytes === 'string' ? bytes : '');
  if (typeof bytes === 'number') truncateSync(path, bytes);
  await settle(path);
  return path;
}

async function settle(path: string): Promise<void> {
  const { ctimeMs } = statSync(path);
  await until(() => Date.now() - ctimeMs > (ctimeMs % 1 === 0 ? 2_200 : 150));
}

async function known(flow: FlowDataStore, path: string): Promise<string | undefined> {
  return new KnownFile(path, await new LocalFile(path).state(), flow.caStore).key({});
}

describe('a file that was read before', () => {
  it.each([
    ['as chunks', {}],
    ['as a plain object', { plain: true }],
  ])('and is as it was is known to the process that saved it %s', async (_how, options) => {
    const flow = await openFlow();
    const path = await settled('one');
    expect(await known(flow, path)).toBeUndefined();
    const file = await flow.files.fromLocal(path, options);
    expect(await known(flow, path)).toBe(file.digest);
    const again = await flow.files.fromLocal(path, options);
    expect(again.digest).toBe(file.digest);
    expect(await again.text()).toBe('one');
    expect((await again.address())?.endsWith('x.bin') ?? false).toBe('plain' in options);
  });

  it('as one of a directory is known by itself, and the other way round', async () => {
    const flow = await openFlow();
    const path = await settled('one');
    const saved = await flow.directories.fromLocal(join(path, '..'));
    expect(await known(flow, path)).toBe((await saved.get('x.bin')).digest);
    expect(await (await flow.files.fromLocal(path)).text()).toBe('one');
  });

  it('is known to other processes where it is large', async () => {
    const [small, large] = [await settled(LARGE - 1), await settled(LARGE)];
    const flow = await openFlow();
    const { digest } = await flow.files.fromLocal(large);
    await flow.files.fromLocal(small);
    const other = await openFlow();
    expect(await known(other, large)).toBe(digest);
    expect(await known(other, small)).toBeUndefined();
    // A store that does not have it is sent it all the same.
    const file = await other.files.fromLocal(large);
    expect([file.digest, file.size, await file.exists()]).toEqual([digest, LARGE, true]);
  });

  it('is read again where anything of it is another, its own time included', async () => {
    const flow = await openFlow();
    const path = await settled('one');
    utimesSync(path, 1, 1);
    await settle(path);
    const first = await flow.files.fromLocal(path);
    const { ctimeMs } = statSync(path);
    await until(() => {
      writeFileSync(path, 'two');
      utimesSync(path, 1, 1);
      return statSync(path).ctimeMs !== ctimeMs;
    });
    expect(await known(flow, path)).toBeUndefined();
    const second = await flow.files.fromLocal(path);
    expect(second.digest).not.toBe(first.digest);
    expect(await second.text()).toBe('two');
  });

  it('is stored again where the store has it no more', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const path = await settled('one');
    const file = await flow.files.fromLocal(path);
    await storage.delete(await objectNames(storage, 'data/'));
    expect(await file.exists()).toBe(false);
    expect(await (await flow.files.fromLocal(path)).text()).toBe('one');
  });
});
