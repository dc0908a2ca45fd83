import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { FlowDataStore, MemoryStorage, registerStorage } from '../../src/index.ts';
import type { StorageCapabilities } from '../../src/storage/contract.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';
import { startStowage } from './running.ts';

/** A storage beyond this machine. */
class Far extends FaultStorage {
  override get capabilities(): StorageCapabilities {
    return { ...this.inner.capabilities, localReads: false };
  }
}

const folder = scratchFolder();
const store = join(folder, 'store');
const raw = join(folder, 'raw');

beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.createRun({ runId: 'r1', rawDataPath: raw });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
    await task.saveArtifacts({ large: noise(600_000), small: noise(20_000), note: 'hello' });
    await task.saveArtifacts({ same: noise(20_000) }, { rawDataPath: store });
  });
});

describe('a run whose content lies elsewhere', () => {
  it('is shown with where that is', async () => {
    const { stdout } = await stowage(store, ['show', 'Train/r1']);
    expect(stdout).toContain(`content at: ${pathToFileURL(raw).href}`);
    const shown = await json(store, ['show', 'Train/r1/fit/0']);
    const artifacts: { name: string; place?: string }[] = shown.attempts.at(-1).artifacts;
    const elsewhere = artifacts.filter(({ place }) => place !== undefined).map(({ name }) => name);
    expect(elsewhere).toEqual(['large', 'small']);
  });

  it('is counted, what lies at two places twice', async () => {
    const { total } = await json(store, ['stat']);
    expect(total).toMatchObject({ artifacts: 4, contents: 3, bytes: 640_005 });
    expect(total.storedBytes).toBeGreaterThan(640_000);
    expect(total.storedBytes).toBeLessThan(642_000);
  });

  it('gives its values, and takes more of them to the same place', async () => {
    const file = join(folder, 'large.bin');
    expect((await stowage(store, ['get', 'Train/r1/fit/0', 'large', '-o', file])).code).toBe(0);
    expect(Buffer.compare(readFileSync(file), noise(600_000))).toBe(0);
    const input = join(folder, 'input.bin');
    writeFileSync(input, noise(400_000, 7));
    const put = await json(store, ['put', 'Train/r1/put/0', `data=${input}`]);
    expect(put.artifacts[0]).toMatchObject({ name: 'data', place: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(put.artifacts[0].newBytes).toBeGreaterThan(400_000);
  });

  it('is told apart from one whose place is gone', async () => {
    renameSync(raw, `${raw}-moved`);
    const { code, stderr } = await stowage(store, [
      'get',
      'Train/r1/fit/0',
      'large',
      '-o',
      join(folder, 'x'),
    ]);
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining(pathToFileURL(raw).href)]);
    expect(code).not.toBe(0);
    const { stdout } = await stowage(store, ['get', 'Train/r1/fit/0', 'note']);
    expect(stdout).toContain('hello');
    renameSync(`${raw}-moved`, raw);
  });

  describe('is counted by what its records say, and that is told, where the place', () => {
    /** What `stat` tells of the run while its place is not there, beside the numbers. */
    const statOf = async (): Promise<{ stderr: string; unseen: unknown; same: boolean }> => {
      const { code, stderr } = await stowage(store, ['stat', 'Train/r1/fit']);
      expect(code).toBe(0);
      const { entries, total, unseen } = await json(store, ['stat', 'Train/r1/fit']);
      const ofEntries = entries.map((one: { name: string; unseenContents: number }) => [
        one.name,
        one.unseenContents,
      ]);
      expect(ofEntries).toEqual([
        ['large', 1],
        ['small', 0],
        ['same', 0],
        ['note', 0],
      ]);
      expect(total).toMatchObject({ unseenContents: 1, contents: 3, bytes: 640_005 });
      return { stderr, unseen, same: total.storedBytes > 640_000 && total.storedBytes < 642_000 };
    };
    const unseen = (code: string): unknown => [
      { contents: 1, place: expect.any(String), failure: { code, message: expect.any(String) } },
    ];
    const REMARK = '1 large content could not be looked at, and is counted as its record says: ';

    it('is gone, or an empty folder', async () => {
      renameSync(raw, `${raw}-moved`);
      try {
        const gone = await statOf();
        expect(gone).toMatchObject({ unseen: unseen('PLACE_NOT_FOUND'), same: true });
        expect(gone.stderr).toContain(`${REMARK}${pathToFileURL(raw).href}, where content`);
        mkdirSync(raw);
        expect(await statOf()).toEqual(gone);
        rmdirSync(raw);
        writeFileSync(raw, 'no folder');
        expect(await statOf()).toMatchObject({ unseen: unseen('PLACE_UNREACHABLE'), same: true });
      } finally {
        rmSync(raw, { recursive: true, force: true });
        renameSync(`${raw}-moved`, raw);
      }
    });

    it('is a bucket that does not answer, which is asked once', async () => {
      let asked = 0;
      let isDown = false;
      onTestFinished(() =>
        registerStorage('memory', (uri) => new MemoryStorage(uri.slice('memory:'.length))),
      );
      // One of a scheme of its own would not be opened by a command, which has no `openPlace`.
      registerStorage('memory', async () => {
        const kept = new MemoryStorage('down');
        return new FaultStorage(kept, (operation) => {
          if (!isDown) return undefined;
          if (operation === 'get') asked += 1;
          return { kind: 'before' };
        });
      });
      const other = join(folder, 'other');
      await using flow = await FlowDataStore.open({
        flowName: 'Far',
        storage: other,
        rawDataPath: 'memory:down',
      });
      await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) =>
        task.saveArtifacts({ a: noise(600_000, 2), b: noise(600_000, 3) }),
      );
      isDown = true;
      const { total, unseen: found } = await json(other, ['stat']);
      expect(total).toMatchObject({ contents: 2, unseenContents: 2, bytes: 1_200_000 });
      expect(found).toMatchObject([{ contents: 2, failure: { code: 'STORAGE_UNAVAILABLE' } }]);
      expect(asked).toBe(1);
    });
  });

  it.each([[['get', 'Far/r/s/0', 'a']], [['diff', 'Far/r/s/0', 'Far/r/s/1']]])(
    'is waited for with a remark, by %j',
    async (args) => {
      const kept = new MemoryStorage('silent');
      let isSilent = false;
      const asked = new Promise<void>((resolve) => {
        registerStorage(
          'memory',
          async () =>
            new Far(kept, () => {
              if (!isSilent) return undefined;
              resolve();
              return { kind: 'delay', ms: 60_000 };
            }),
        );
      });
      onTestFinished(() =>
        registerStorage('memory', (uri) => new MemoryStorage(uri.slice('memory:'.length))),
      );
      const far = join(folder, `far-${args[0]}`);
      const flow = await FlowDataStore.open({ flowName: 'Far', storage: far, rawDataPath: 'memory:silent' });
      for (const taskId of ['0', '1']) {
        const task = { runId: 'r', stepName: 's', taskId };
        await flow.task(task, (one) => one.saveArtifacts({ a: noise(20_000, Number(taskId) + 8) }));
      }
      await flow.close();
      isSilent = true;
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
      onTestFinished(() => void vi.useRealTimers());
      const running = startStowage(far, args);
      await asked;
      await vi.advanceTimersByTimeAsync(40_000);
      expect(running.stderr.text).toMatch(
        /^stowage: memory:.* has not answered for \d+ seconds, still waiting\n/,
      );
      running.interrupt();
      expect(await running.ended).toBe(130);
    },
  );

  it('is counted in part where some of its content is gone, from the store itself as well', async () => {
    const lossy = join(folder, 'lossy');
    await using flow = await FlowDataStore.open({ flowName: 'Lossy', storage: lossy });
    await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) =>
      task.saveArtifacts({ gone: noise(600_000, 4), here: noise(600_000, 5) }),
    );
    const attempt = await json(lossy, ['show', 'Lossy/r/s/0']);
    const { key } = attempt.attempts[0].artifacts.find(({ name }: { name: string }) => name === 'gone');
    rmSync(join(lossy, 'manifests', key.slice(0, 3)), { recursive: true });
    const { code, stderr } = await stowage(lossy, ['stat']);
    expect(code).toBe(0);
    expect(stderr).toContain(`counted as its record says: No copy of content ${key}`);
    const { total, unseen } = await json(lossy, ['stat']);
    expect(total).toMatchObject({ contents: 2, unseenContents: 1 });
    expect(unseen).toMatchObject([{ contents: 1, failure: { code: 'CONTENT_NOT_FOUND' } }]);
  });
});
