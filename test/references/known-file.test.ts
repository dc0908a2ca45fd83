import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { KnownFile } from '../../src/references/known-file.ts';
import { LocalFile } from '../../src/references/local-file.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, noise, objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { until } from '../waiting.ts';
import { FILE_SYSTEMS, liesOn, openedBelow } from './system-calls.ts';

/** A file of so many bytes is known to other processes, too. */
const LARGE = 16 * 1024 * 1024;
/** Other systems do not tell the type of a file system. */
const isLinux = process.platform === 'linux';

let index: string;

beforeEach(() => {
  index = join(scratchFolder(), 'index');
  vi.stubEnv('STOWAGE_FILE_INDEX', index);
  afterThisTest(() => vi.unstubAllEnvs());
});

/** A file that no clock can tell to have been written just now. */
async function settled(bytes: number | string | Uint8Array): Promise<string> {
  const path = join(scratchFolder(), 'x.bin');
  writeFileSync(path, typeof bytes === 'number' ? '' : bytes);
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
    const opened = openedBelow(path);
    const again = await flow.files.fromLocal(path, options);
    expect(again.digest).toBe(file.digest);
    expect(opened).toEqual([]);
    expect(await again.text()).toBe('one');
    expect((await again.address())?.endsWith('x.bin') ?? false).toBe('plain' in options);
  });

  it('as one of a directory is not read by itself, and the other way round', async () => {
    const path = await settled(noise(300_000));
    const folder = dirname(path);
    const [one, other] = [await openFlow(), await openFlow()];
    const opened = openedBelow(folder);
    const directory = await one.directories.fromLocal(folder);
    const file = await other.files.fromLocal(path);
    // Each reads it for its digest, and once more to send it.
    expect(opened.splice(0)).toEqual([path, path, path, path]);
    expect((await one.files.fromLocal(path)).digest).toBe(file.digest);
    expect((await other.directories.fromLocal(folder)).digest).toBe(directory.digest);
    expect(opened).toEqual([]);
  });

  it('is known to other processes where it is large', async () => {
    const [small, large] = [await settled(LARGE - 1), await settled(LARGE)];
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const { digest } = await flow.files.fromLocal(large);
    await flow.files.fromLocal(small);
    const [same, other] = [await openFlow({ storage }), await openFlow()];
    const opened = openedBelow(large);
    expect((await same.files.fromLocal(large)).digest).toBe(digest);
    expect(opened).toEqual([]);
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

  it.skipIf(!isLinux).each(Object.entries(FILE_SYSTEMS))(
    'is read each time on %s, where a change is seen late',
    async (_name, type) => {
      const path = await settled(LARGE);
      const folder = dirname(path);
      const inner = join(folder, 'mounted');
      mkdirSync(inner);
      writeFileSync(join(inner, 'small'), 'small');
      await settle(join(inner, 'small'));
      const flow = await openFlow();
      const opened = openedBelow(folder);
      const save = async (): Promise<string[]> => {
        await flow.files.fromLocal(path);
        await flow.directories.fromLocal(folder);
        return [...new Set(opened.splice(0))].sort();
      };
      liesOn(folder, type);
      await save();
      expect(await save()).toEqual([join(inner, 'small'), path]);
      expect(existsSync(index)).toBe(false);
    },
  );

  it.skipIf(!isLinux)('is read each time below a folder that is mounted in one of this machine', async () => {
    const path = await settled('here');
    const inner = join(dirname(path), 'mounted');
    mkdirSync(inner);
    writeFileSync(join(inner, 'there'), 'there');
    await settle(join(inner, 'there'));
    const flow = await openFlow();
    liesOn(inner, FILE_SYSTEMS.nfs);
    await flow.directories.fromLocal(dirname(path));
    const opened = openedBelow(dirname(path));
    await flow.directories.fromLocal(dirname(path));
    expect(opened).toEqual([join(inner, 'there')]);
  });

  it('is read each time where nothing is to be remembered', async () => {
    vi.stubEnv('STOWAGE_FILE_INDEX', 'off');
    const flow = await openFlow();
    const path = await settled('one');
    const opened = openedBelow(path);
    for (let time = 1; time <= 2; time++) await flow.files.fromLocal(path);
    expect(opened).toEqual([path, path]);
  });

  it('and is gone before it is read again is told as such', async () => {
    const flow = await openFlow();
    for (const bytes of [3, LARGE]) {
      const path = await settled(bytes);
      const digest = async (): Promise<string> => {
        rmSync(path);
        return 'x';
      };
      await errorOf(flow.files.fromLocal(path, { digest }), 'REFERENCE_NOT_FOUND');
    }
  });
});

describe('the index of files', () => {
  /** What a writer left that ended long ago: whoever opens the index removes it. */
  function leftOver(): string {
    const key = 'ab'.repeat(32);
    const path = join(index, 'ab', `${key}.cached.${'0'.repeat(16)}.tmp`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    utimesSync(path, 1, 1);
    return path;
  }

  it('is looked through once for a store, which waits for that when it is closed', async () => {
    const flow = await openFlow();
    const first = leftOver();
    await flow.files.fromLocal(await settled(LARGE));
    await until(() => !existsSync(first));
    const second = leftOver();
    for (const bytes of [LARGE + 1, LARGE + 2]) await flow.files.fromLocal(await settled(bytes));
    expect(indexed()).toHaveLength(3);
    await flow.close();
    expect(existsSync(second)).toBe(true);
    const other = await openFlow();
    await other.files.fromLocal(await settled(LARGE));
    await other.close();
    expect(existsSync(second)).toBe(false);
  });

  function indexed(): string[] {
    return readdirSync(index, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.cached'),
    );
  }
});
