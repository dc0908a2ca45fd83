import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StowageError } from '../../../src/errors.ts';
import { isOnNetwork } from '../../../src/storage/local/network-file-system.ts';
import { LocalStorage } from '../../../src/storage/local.ts';
import { scratchFolder } from '../scratch.ts';

function statfsFailing(code: string): () => never {
  return () => {
    throw Object.assign(new Error(`${code}: statfs`), { code });
  };
}

describe('a folder', () => {
  it.each([
    ['NFS', 0x6969, true],
    ['CIFS', 0xff534d42, true],
    ['SMB 3', 0xfe534d42, true],
    ['an old SMB', 0x517b, true],
    ['ext4', 0xef53, false],
    ['tmpfs', 0x01021994, false],
    ['overlayfs', 0x794c7630, false],
    ['FUSE, which may be anything', 0x65735546, false],
  ])('on %s is told by the type of its file system, on Linux alone', (_what, type, isNetwork) => {
    const system = { statfsSync: () => ({ type }) };
    expect(isOnNetwork('/data', system, 'linux')).toBe(isNetwork);
    expect(isOnNetwork('/data', system, 'darwin')).toBe(false);
  });

  it.each([
    ['\\\\server\\share\\store', true],
    ['\\\\?\\UNC\\server\\share', true],
    ['\\\\?\\C:\\store', false],
    ['\\\\.\\C:\\store', false],
    ['C:\\store', false],
  ])('of Windows is told by its path: %s', (path, isNetwork) => {
    expect(isOnNetwork(path, { statfsSync: statfsFailing('EINVAL') }, 'win32')).toBe(isNetwork);
  });

  it('that is not there lies nowhere, and what cannot be asked is a typed error', () => {
    expect(isOnNetwork('/data', { statfsSync: statfsFailing('ENOENT') }, 'linux')).toBe(false);
    const ask = (): boolean => isOnNetwork('/data', { statfsSync: statfsFailing('EACCES') }, 'linux');
    expect(ask).toThrow(StowageError);
  });

  it('is asked when somebody wants to know, so that one which is made later is known', async () => {
    const asked: string[] = [];
    const statfsSync = (path: string): { type: number } => {
      asked.push(path);
      return { type: process.platform === 'linux' ? 0x6969 : 0 };
    };
    const path = join(scratchFolder(), 'store');
    await using storage = await LocalStorage.open(path, { system: { statfsSync } });
    expect(asked).toEqual([]);
    expect(storage.capabilities.seenLate).toBe(process.platform === 'linux');
    expect(Object.isFrozen(storage.capabilities)).toBe(true);
  });
});
