import { writeFileSync } from 'node:fs';
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
    expect(stderr).toContain('tried again by the next gc.\n');
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

/** A store of three runs of the flow Train, the newest last, each with content of its own, and one of Other. */
async function newRuns(): Promise<string> {
  made += 1;
  const path = join(folder, `store-${made}`);
  for (const [flowName, runId, seed] of [
    ['Train', 'r1', 1],
    ['Train', 'r2', 2],
    ['Train', 'r3', 3],
    ['Other', 'o1', 4],
  ] as const) {
    await using flow = await FlowDataStore.open({ flowName, storage: path });
    const run = await flow.createRun({ runId, tags: runId === 'r1' ? ['release'] : [] });
    await flow.task({ runId, stepName: 'fit', taskId: '0' }, (task) =>
      task.saveArtifacts({ weights: noise(70_000, seed), same: noise(80_000, 9) }),
    );
    await run.finish();
  }
  return path;
}

async function runsOf(store: string): Promise<string[]> {
  const { runs } = await json(store, ['runs']);
  return runs.map(({ flow, run }: { flow: string; run: string }) => `${flow}/${run}`).sort();
}

describe('stowage gc by rules', () => {
  it('tells what goes and what it frees, by run and artifact, and then does that', async () => {
    const store = await newRuns();
    const { code, stdout, stderr } = await stowage(store, ['gc', '--keep-last', '1'], { columns: 80 });
    expect([code, stderr]).toEqual([0, 'stowage: nothing was deleted. To delete it: --yes\n']);
    expect(stdout).toMatch(/^RUN +STATUS +CREATED +TASKS +FREES +WHY$/m);
    expect(stdout).toMatch(/^Train\/r1 +done +.* +1 +70\.\d kB +not among the newest$/m);
    expect(stdout).toMatch(/^Train\/r2 /m);
    expect(stdout).toMatch(/^weights +14\d kB +0 B$/m);
    expect(stdout).toMatch(
      /^would delete 2 runs, with 2 tasks and 4 artifacts, which frees 14\d kB; 80\.\d kB/m,
    );
    expect(stdout).toContain('2 runs stay: 2 by age, number or size\n');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(await runsOf(store)).toHaveLength(4);

    const done = await stowage(store, ['gc', '--keep-last', '1', '--yes']);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout).toMatch(/^deleted 2 runs: 2 attempts\nfreed 14\d kB: 2 contents\n$/);
    expect(await runsOf(store)).toEqual(['Other/o1', 'Train/r3']);
    expect(await stowage(store, ['gc', '--keep-last', '1'])).toMatchObject({
      stdout: expect.stringContaining('no run and no entry of the cache goes by it.\n'),
    });
  });

  it('keeps by tag, and asks of one flow alone', async () => {
    const store = await newRuns();
    const args = ['gc', '--flow', 'Train', '--keep-last', '0', '--keep-tag', 'release', '--yes'];
    const { retention } = await json(store, args);
    expect(retention).toMatchObject({ runs: 2, problems: [] });
    expect(await runsOf(store)).toEqual(['Other/o1', 'Train/r1']);
  });

  it('names as many runs as are wanted, and counts the others', async () => {
    const store = await newRuns();
    const args = ['gc', '--flow', 'Train', '--keep-last', '0', '-n', '2'];
    const { plan } = await json(store, args);
    expect([plan.runs.length, plan.more, plan.total.runs]).toEqual([2, 1, 3]);
    expect((await stowage(store, args)).stdout).toContain('... and 1 run more; --limit all names them');
    expect((await json(store, args.slice(0, -2))).plan).not.toHaveProperty('more');
  });

  it('deletes content alone, so that runs stay', async () => {
    const store = await newRuns();
    const args = ['gc', '--keep-last', '0', '--content-only', '--flow', 'Other', '--yes'];
    expect(await stowage(store, args)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('the content of 1 attempt\n'),
    });
    expect(await runsOf(store)).toHaveLength(4);
    expect((await stowage(store, ['get', 'Other/o1/fit/0', 'weights'])).stderr).toContain(
      'given up by retention',
    );
  });

  it('that would delete everything asks twice', async () => {
    const store = await newRuns();
    const dry = await stowage(store, ['gc', '--keep-within', '0s']);
    expect(dry.stderr).toBe(
      'stowage: warning: no run of the store would stay.\nstowage: nothing was deleted. To delete it: --yes --even-everything\n',
    );
    const refused = await stowage(store, ['gc', '--keep-within', '0s', '--yes']);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain(
      'every run of the store (4). If that is meant, give --even-everything as well',
    );
    expect(await runsOf(store)).toHaveLength(4);
    expect(await stowage(store, ['gc', '--keep-within', '0s', '--yes', '--even-everything'])).toMatchObject({
      code: 0,
    });
    expect(await runsOf(store)).toEqual([]);
  });

  it('goes by the policy of the store, and says so; by options or none instead', async () => {
    const store = await newRuns();
    const file = join(folder, `policy-${made}.json`);
    writeFileSync(file, '{ "keepLast": 1 }');
    await stowage(store, ['policy', 'set', file]);
    const byStore = await stowage(store, ['gc']);
    expect(byStore.stderr).toMatch(/^stowage: by the policy of the store, saved .*: stowage policy show\n/);
    expect(byStore.stdout).toContain('would delete 2 runs');
    expect((await stowage(store, ['gc', '--keep-last', '2'])).stdout).toContain('would delete 1 run,');
    expect((await stowage(store, ['gc', '--no-policy'])).stdout).toContain('nothing to free');
    writeFileSync(file, '{ "keepLast": 5 }');
    expect((await stowage(store, ['gc', '--policy', file])).stdout).toContain('no run and no entry');
  });

  it.each([
    [['--keep-last', 'x'], '--keep-last is a number from 0 on, not "x".'],
    [['--keep-within', '3 parsecs'], '--keep-within is an age such as'],
    [['--max-size', 'much'], '--max-size is a size such as'],
    [['--cache-keep-used', '-1d'], '--cache-keep-used'],
    [['--keep-status', 'dead', '--keep-last', '1'], '--keep-status is one of open, done, failed, abandoned'],
    [['--keep-tag', 'release'], 'Nothing would be deleted by that'],
    [['--keep-last', '1', '--no-policy'], 'Give rules as options, or --policy, or --no-policy'],
    [['--keep-last', '1', '--flow', '..'], '..'],
  ])('refuses %j, and deletes nothing', async (args, message) => {
    const { code, stderr } = await stowage(join(folder, 'none'), ['gc', ...args, '--yes']);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});
