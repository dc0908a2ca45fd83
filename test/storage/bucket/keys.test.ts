import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../../src/flow-data-store.ts';
import { ObjectKeys } from '../../../src/storage/bucket/keys.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { objectNames } from '../../flow/fixtures.ts';

const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' });

describe('keys of objects', () => {
  it('are names behind the prefix, whatever slashes it had at its ends', () => {
    for (const prefix of ['a/b', '/a/b', 'a/b/', '//a/b//']) {
      const keys = new ObjectKeys(prefix);
      expect(keys.keyOf('c/d')).toBe('a/b/c/d');
      expect(keys.nameOf('a/b/c/d')).toBe('c/d');
      expect(keys.folderOf('a/b/c/')).toBe('c/');
    }
    expect(new ObjectKeys('').keyOf('c/d')).toBe('c/d');
    expect(new ObjectKeys('tmp').keyOf('c')).toBe('tmp/c');
  });

  it('that no store wrote are none of its objects', () => {
    const keys = new ObjectKeys('a');
    for (const key of ['a/', 'a/tmp/x', 'a/b//c', 'a/b/', 'a/..', 'a/b\\c'])
      expect(keys.nameOf(key)).toBeUndefined();
    for (const folder of ['a/tmp/', 'a/b//', 'a/./']) expect(keys.folderOf(folder)).toBeUndefined();
  });

  it.each(['a//b', '.', 'a/../b', 'a\\b', 'a\nb', 'a\u0308'])('refuses the prefix %j', (prefix) => {
    expect(() => new ObjectKeys(prefix)).toThrow(invalid);
  });

  it('have at most 1,024 bytes, counted in UTF-8', () => {
    const keys = new ObjectKeys(Array.from({ length: 5 }, () => 'é'.repeat(38)).join('/'));
    const room = 1024 - Buffer.byteLength(keys.prefix);
    const long = Array.from({ length: 4 }, () => 'x'.repeat(210)).join('/');
    expect(Buffer.byteLength(keys.keyOf(long.slice(0, room)))).toBe(1024);
    expect(() => keys.keyOf(long.slice(0, room + 1))).toThrow(
      expect.objectContaining({ code: 'INVALID_NAME', message: expect.stringMatching(/1025 bytes.*1024/) }),
    );
  });

  it('have room for all that a store names behind the longest prefix', async () => {
    const storage = new MemoryStorage();
    const name = 'n'.repeat(128);
    const flow = await FlowDataStore.open({ flowName: name, storage });
    const spec = { runId: name, stepName: name, taskId: name, attempt: Number.MAX_SAFE_INTEGER };
    await flow.task(spec, async (task) => {
      await task.saveArtifacts({ [name]: new Uint8Array(300_000) });
      await task.saveMetadata({ [name]: 1 });
      await task.saveLogs('s'.repeat(32), { stdout: 'x' });
    });
    await flow.saveData([{ name, data: new Uint8Array(10) }]);
    await flow.close();
    const longest = (await objectNames(storage)).sort((a, b) => b.length - a.length)[0] as string;
    const keys = new ObjectKeys(`${'p'.repeat(199)}/${'q'.repeat(199)}`);
    expect(keys.keyOf(longest).length).toBeLessThanOrEqual(1024);
    expect(longest.length).toBeGreaterThan(550);
    expect(() => new ObjectKeys(`${'p'.repeat(199)}/${'q'.repeat(200)}`)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/401 bytes.*at most 400/),
      }),
    );
  });
});
