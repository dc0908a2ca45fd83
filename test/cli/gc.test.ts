import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DataStoreStorage, FlowDataStore, openStorage, registerStorage } from '../../src/index.ts';
import { CollectorLog } from '../../src/maintenance/collection/collector-log.ts';
import type { StorageCapabilities } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';
import { startStowage } from './running.ts';

const folder = scratchFolder();
let made = 0;

/** A store of one run, in which 90,000 bytes are dead. */
async function newStore(): Promise<string> {
  made += 1;
  const path = join(folder, `store-${made}`);
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: path });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) =>
    task.saveArtifacts({ x: noise(70_000) }),
  );
  const [dead] = await flow.caStore.saveBlobs([noise(90_000, 2)]);
  await flow.caStore.release(dead?.session as string);
  return path;
}

/** Makes the store of a path another one, by a scheme of its own. */
async function through(path: string, wrap: (inner: DataStoreStorage) => DataStoreStorage): Promise<string> {
  made += 1;
  const scheme = `wrapped${made}`;
  registerStorage(scheme, async () => wrap(await openStorage(path)));
  return `${scheme}://store`;
}

describe('stowage gc', () => {
  it('is a dry run until --yes, says what it frees, and then that there is nothing', async () => {
    const store = await newStore();
    expect(await stowage(store, ['gc'])).toMatchObject({
      code: 0,
      stdout: 'would free 90.0 kB: 1 content\n',
      stderr: 'stowage: nothing was deleted. To delete it: --yes\n',
    });
    expect(await json(store, ['gc'])).toMatchObject({ dryRun: true, collection: { outcome: 'dry-run' } });
    expect(await stowage(store, ['gc', '--yes'])).toMatchObject({
      code: 0,
      stdout: 'freed 90.0 kB: 1 content\n',
      stderr: '',
    });
    expect(await stowage(store, ['gc', '-y'])).toMatchObject({
      code: 0,
      stdout: 'nothing to free: everything in the store is needed.\n',
      stderr: '',
    });
    expect((await stowage(store, ['get', 'Train/r1/fit/0', 'x', '--bytes'])).bytes).toEqual(
      Buffer.from(noise(70_000)),
    );
  });

  it('names what could not be deleted, ends with 3, and tries it again', async () => {
    const path = await newStore();
    const locked = await through(
      path,
      (inner) =>
        new FaultStorage(inner, (operation, name) =>
          operation === 'delete' && name.startsWith('data/')
            ? { kind: 'before', error: new Error('it is locked') }
            : undefined,
        ),
    );
    const { code, stdout, stderr } = await stowage(locked, ['gc', '--yes']);
    expect([code, stdout]).toEqual([3, 'freed 0 B\n']);
    expect(stderr).toMatch(/^stowage: data\/\S+ could not be deleted: it is locked$/m);
    expect(stderr).toContain('tried again by the next: stowage gc --yes\n');
    expect(await stowage(path, ['gc', '--yes'])).toMatchObject({
      code: 0,
      stdout: 'freed 90.0 kB: 1 content\n',
    });
  });

  it('says that another one is at work, and ends with 11', async () => {
    const path = await newStore();
    let isFirst = true;
    /** Another collector writes to the log first. */
    class Overtaken extends StorageDecorator {
      override async create(...args: Parameters<StorageDecorator['create']>): Promise<boolean> {
        if (isFirst && args[0].startsWith('gc/')) {
          isFirst = false;
          await new CollectorLog(this.inner, {}).create(1, 'proposed', []);
        }
        return this.inner.create(...args);
      }
    }
    const overtaken = await through(path, (inner) => new Overtaken(inner));
    const { code, stderr } = await stowage(overtaken, ['gc', '--yes']);
    expect([code, stderr]).toEqual([11, expect.stringContaining('Another process collects the store')]);
    expect(await stowage(path, ['gc', '--yes'])).toMatchObject({
      code: 0,
      stdout: 'freed 90.0 kB: 1 content\n',
    });
  });

  it('asks for --exclusive on a network file system, in the words of the command line', async () => {
    const path = await newStore();
    class Late extends StorageDecorator {
      override get capabilities(): StorageCapabilities {
        return { ...this.inner.capabilities, seenLate: true };
      }
    }
    const late = await through(path, (inner) => new Late(inner));
    const { code, stdout, stderr } = await stowage(late, ['gc', '--yes']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/NFS or SMB.*while nothing else writes to it, and say so: --exclusive\.\n$/);
    expect(await stowage(late, ['gc', '--yes', '--exclusive'])).toMatchObject({ code: 0 });
  });

  it('that is interrupted says how to go on, and the next one ends it', async () => {
    const path = await newStore();
    let interrupt = (): void => {};
    const slow = await through(
      path,
      (inner) =>
        new FaultStorage(inner, (operation) => {
          if (operation === 'delete') interrupt();
          return undefined;
        }),
    );
    const running = startStowage(slow, ['gc', '--yes']);
    interrupt = running.interrupt;
    expect(await running.ended).toBe(130);
    expect(running.stderr.text).toContain('To go on, give the same command again.');
    expect(running.stderr.text).toMatch(/stowage: interrupted\.\n$/);
    expect(await stowage(path, ['gc', '--yes'])).toMatchObject({ code: 0 });
    expect(await stowage(path, ['gc'])).toMatchObject({ stdout: expect.stringContaining('nothing to free') });
  });

  it('of no store says so, and makes none', async () => {
    const { code, stderr } = await stowage(join(folder, 'none'), ['gc', '--yes']);
    expect([code, stderr]).toEqual([10, expect.stringContaining('Name another with --store')]);
  });
});
