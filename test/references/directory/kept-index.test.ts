import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import { indexFolder } from '../../../src/references/directory/index-folder.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { afterThisTest } from '../../cleanups.ts';
import { errorOf, openFlow, scratchFolder } from '../../flow/fixtures.ts';
import { until } from '../../waiting.ts';

const FILES = 256;
let index: string;

beforeEach(() => {
  index = join(scratchFolder(), 'index');
  useIndex(index);
  afterThisTest(() => vi.unstubAllEnvs());
});

function useIndex(value: string): void {
  vi.stubEnv('STOWAGE_FILE_INDEX', value);
}

function folderOf(files = FILES): string {
  const root = join(scratchFolder(), 'tree');
  mkdirSync(root);
  for (let file = 0; file < files; file++) writeFileSync(join(root, `file-${file}`), `bytes of ${file}`);
  return root;
}

/** Waits until no clock can tell that a file was written just now. */
async function settle(root: string): Promise<void> {
  const newest = Math.max(...readdirSync(root).map((name) => statSync(join(root, name)).ctimeMs));
  await until(() => Date.now() - newest > (newest % 1 === 0 ? 2_200 : 150));
}

/** A flow that remembers nothing of others in this process: what it knows of a folder it has from the disk. */
async function another(storage = new MemoryStorage()): Promise<FlowDataStore> {
  return openFlow({ storage });
}

const digestOf = async (flow: FlowDataStore, root: string): Promise<string> =>
  (await flow.directories.fromLocal(root)).digest;

async function digestWithoutIndex(root: string): Promise<string> {
  useIndex('off');
  try {
    return await digestOf(await another(), root);
  } finally {
    useIndex(index);
  }
}

function indexFiles(): string[] {
  if (!existsSync(index)) return [];
  const entries = readdirSync(index, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('the index of a folder that others have saved', () => {
  it('sees a file of the same length whose time was put back', async () => {
    const root = folderOf();
    await settle(root);
    const first = await digestOf(await another(), root);
    const path = join(root, 'file-7');
    const { ctimeMs, atime, mtime } = statSync(path);
    await until(() => {
      writeFileSync(path, 'BYTES OF 7');
      utimesSync(path, atime, mtime);
      return statSync(path).ctimeMs !== ctimeMs;
    });
    const changed = await digestOf(await another(), root);
    expect(changed).not.toBe(first);
    expect(changed).toBe(await digestWithoutIndex(root));
  });

  it('is of no harm where it is damaged, cut off, or of something else, and is made again', async () => {
    const root = folderOf();
    await settle(root);
    const digest = await digestOf(await another(), root);
    const [path = ''] = indexFiles();
    const whole = readFileSync(path);
    const half = whole.length / 2;
    const flipped = Buffer.from(whole);
    flipped[Math.floor(half)] = (flipped[Math.floor(half)] ?? 0) ^ 1;
    const other = folderOf(FILES + 1);
    await digestOf(await another(), other);
    const ofOther = readFileSync(indexFiles().find((name) => name !== path) ?? '');
    for (const bytes of [flipped, whole.subarray(0, half), Buffer.alloc(0), Buffer.from('{}\n'), ofOther]) {
      writeFileSync(path, bytes);
      expect(await digestOf(await another(), root)).toBe(digest);
      expect(readFileSync(path).length).toBe(whole.length);
    }
  });

  it('is neither made nor asked for small folders, nor where it is turned off', async () => {
    const [root, small] = [folderOf(), folderOf(FILES - 1)];
    await digestOf(await another(), small);
    useIndex('off');
    await digestOf(await another(), root);
    expect(indexFiles()).toEqual([]);
    useIndex(index);
    await digestOf(await another(), root);
    expect(indexFiles()).toHaveLength(1);
    expect(statSync(indexFiles()[0] ?? '').mode & 0o77).toBe(0);
  });

  it('is kept for each selection of files by itself', async () => {
    const root = folderOf(FILES + 10);
    const flow = await another();
    await flow.directories.fromLocal(root);
    const fewer = await flow.directories.fromLocal(root, { exclude: ['file-1'] });
    expect(fewer.fileCount).toBe(FILES + 9);
    expect(indexFiles()).toHaveLength(2);
    expect((await (await another()).directories.fromLocal(root)).fileCount).toBe(FILES + 10);
  });

  it('is not asked for one that is gone since its files were found, which is told as such', async () => {
    const root = folderOf();
    const storage = new (class extends MemoryStorage {
      override create(...call: Parameters<MemoryStorage['create']>): ReturnType<MemoryStorage['create']> {
        if (call[0].startsWith('loose/')) rmSync(root, { recursive: true, force: true });
        return super.create(...call);
      }
    })();
    await errorOf(digestOf(await another(storage), root), 'REFERENCE_NOT_FOUND');
  });

  it('that cannot be written costs nothing but time; one that is no folder is an error', async () => {
    const root = folderOf();
    const below = join(scratchFolder(), 'file');
    writeFileSync(below, '');
    useIndex(join(below, 'index'));
    expect(await digestOf(await another(), root)).toBe(await digestWithoutIndex(root));
    useIndex(below);
    const error = await errorOf(digestOf(await another(), root), 'INVALID_ARGUMENT');
    expect(error.message).toContain(below);
  });
});

describe('the folder of indexes', () => {
  it('is that of the environment, or the one that the system has for caches', () => {
    expect(indexFolder({ STOWAGE_FILE_INDEX: '/x' }, 'linux')).toBe('/x');
    expect(indexFolder({ STOWAGE_FILE_INDEX: 'off' }, 'linux')).toBeUndefined();
    expect(indexFolder({ XDG_CACHE_HOME: '/caches' }, 'linux')).toBe('/caches/stowage/file-index');
    expect(indexFolder({ XDG_CACHE_HOME: 'relative' }, 'linux')).toBe(
      join(homedir(), '.cache/stowage/file-index'),
    );
    expect(indexFolder({}, 'darwin')).toBe(join(homedir(), 'Library/Caches/stowage/file-index'));
    expect(indexFolder({}, 'win32')).toBeUndefined();
    expect(indexFolder({ LOCALAPPDATA: '/local' }, 'win32')).toBe('/local/stowage/file-index');
  });
});
