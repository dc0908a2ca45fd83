import { channel } from 'node:diagnostics_channel';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import type { DirectoryRef } from '../../src/references/directory/directory-ref.ts';
import type { FileRef } from '../../src/references/file-ref.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, noise, objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';

const SPEC = { runId: 'r1', stepName: 'fit', taskId: '0' };
const LARGE = noise(100_000);

/** Saves checkpoints in an attempt that fails. */
async function saveAndFail(flow: FlowDataStore, ...values: readonly unknown[]): Promise<void> {
  const task = await flow.createTaskDataStore(SPEC);
  for (const value of values) await task.checkpoint.save(value);
  await task.fail(new Error('next'));
}

/** What the next attempt loads; it fails as well. */
async function loadAndFail(flow: FlowDataStore): Promise<unknown> {
  const task = await flow.createTaskDataStore(SPEC);
  const value = await task.checkpoint.load();
  await task.fail(new Error('next'));
  return value;
}

async function collect(storage: MemoryStorage): Promise<void> {
  const content = new ContentAddressedStore(storage);
  await collectGarbage(content);
  await content.close();
}

describe('a checkpoint', () => {
  it.each([
    ['null', null],
    ['an object', { epoch: 3, losses: [0.5, Number.NaN], seen: new Set(['a']) }],
    ['bytes', new Uint8Array([0, 255])],
    ['large bytes', noise(300_000)],
    ['a typed array', new Float64Array([1.5, -0])],
  ])('is loaded by its own attempt and by later ones: %s', async (_name, value) => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(SPEC);
    expect(await task.checkpoint.load()).toBeUndefined();
    await task.checkpoint.save('an earlier one');
    await task.checkpoint.save(value);
    expect(await task.checkpoint.load()).toEqual(value);
    await task.fail(new Error('next'));
    for (let n = 0; n < 2; n++) expect(await loadAndFail(flow)).toEqual(value);
  });

  it('is each time a value of its own', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(SPEC);
    const state = [1];
    await task.checkpoint.save(state);
    state.push(2);
    const loaded = (await task.checkpoint.load()) as number[];
    expect(loaded).toEqual([1]);
    loaded.push(3);
    expect(await task.checkpoint.load()).toEqual([1]);
  });

  test.prop([fc.array(fc.constantFrom('save', 'fail', 'done', 'load', 'purge'), { maxLength: 12 })], {
    numRuns: Math.ceil(propertyRuns * 0.4),
  })('is the latest that was saved since an attempt was done, whatever came between', async (deeds) => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    let task = await flow.createTaskDataStore(SPEC);
    let saved: { attempt: number; value: number }[] = [];
    for (const [value, deed] of deeds.entries()) {
      if (deed === 'save') {
        await task.checkpoint.save({ value });
        saved.push({ attempt: task.attempt, value });
      } else if (deed === 'load') {
        const latest = saved.at(-1);
        expect(await task.checkpoint.load()).toEqual(latest && { value: latest.value });
      } else if (deed === 'purge') {
        if (task.attempt === 0) continue;
        // Before it is asked for what earlier attempts have.
        await task.fail(new Error('next'));
        await storage.create(`flows/Test/r1/fit/0/${task.attempt}.PURGED`, new Uint8Array(0));
        saved = saved.filter(({ attempt }) => attempt !== task.attempt);
        task = await flow.createTaskDataStore(SPEC);
      } else {
        if (deed === 'fail') await task.fail(new Error('next'));
        else {
          await task.done();
          saved = [];
        }
        task = await flow.createTaskDataStore(SPEC);
      }
    }
  });

  it('of which the content is gone is passed over for the one before it, which is told', async () => {
    const told: unknown[] = [];
    const note = (message: unknown): unknown => told.push(message);
    channel('stowage:checkpoint-not-loaded').subscribe(note);
    afterThisTest(() => channel('stowage:checkpoint-not-loaded').unsubscribe(note));
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveAndFail(flow, 'small', LARGE);
    await storage.delete(await objectNames(storage, 'data/'));
    expect(await loadAndFail(flow)).toBe('small');
    expect(told).toHaveLength(1);
  });

  it('keeps its content alive while it is the last of an attempt that is not done, and that of files in it', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(SPEC);
    await task.checkpoint.save(noise(90_000, 3));
    await task.checkpoint.save({ log: await task.files.fromData('log.txt', 'so far'), state: LARGE });
    await task.fail(new Error('next'));
    expect(await objectNames(storage, 'data/')).toHaveLength(3);
    await collect(storage);
    // That of the first one is gone.
    expect(await objectNames(storage, 'data/')).toHaveLength(2);
    await flow.task(SPEC, async (next) => {
      const { log, state } = (await next.checkpoint.load()) as { log: FileRef; state: Uint8Array };
      expect(await log.text()).toBe('so far');
      expect(Buffer.compare(state, LARGE)).toBe(0);
      await collect(storage);
      await next.saveArtifacts({ log });
    });
    await collect(storage);
    expect(await objectNames(storage, 'data/')).toHaveLength(1);
    const done = await flow.getTaskDataStore('r1/fit/0');
    expect(await ((await done.get('log')) as FileRef).text()).toBe('so far');
  });

  it('holds a directory, of which the next one stores what is new', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const folder = scratchFolder();
    for (const name of ['a', 'b', 'c']) writeFileSync(join(folder, name), noise(400_000, name.charCodeAt(0)));
    const task = await flow.createTaskDataStore(SPEC);
    await task.checkpoint.save({ epoch: 1, dir: await task.directories.fromLocal(folder) });
    const packs = await objectNames(storage, 'packs/');
    writeFileSync(join(folder, 'c'), noise(500_000, 1));
    await task.checkpoint.save({ epoch: 2, dir: await task.directories.fromLocal(folder) });
    expect(await objectNames(storage, 'packs/')).toHaveLength(packs.length + 1);
    await task.fail(new Error('next'));
    await collect(storage);
    const { epoch, dir } = (await loadAndFail(flow)) as { epoch: number; dir: DirectoryRef };
    expect(epoch).toBe(2);
    const target = join(scratchFolder(), 'again');
    await dir.download(target);
    for (const name of ['a', 'b', 'c'])
      expect(readFileSync(join(target, name)).equals(readFileSync(join(folder, name)))).toBe(true);
  });

  it('costs one create, and shares what is stored of it with the one before', async () => {
    const counting = new CountStorage(new MemoryStorage('', { localReads: false }));
    const flow = await openFlow({ storage: counting });
    const task = await flow.createTaskDataStore({ ...SPEC, attempt: 0 });
    counting.reset();
    await task.checkpoint.save({ epoch: 1 });
    expect(counting.snapshot()).toMatchObject({ requests: 1, create: { calls: 1 } });
    const state = noise(2_000_000);
    await task.checkpoint.save(state);
    counting.reset();
    state.set([1, 2, 3], 1_000_000);
    await task.checkpoint.save(state);
    expect(counting.snapshot().create.bytes).toBeLessThan(600_000);
    await task.done();
  });

  it('is there or not, wherever the process dies', async () => {
    for (let at = 0, isOver = false; !isOver; at++) {
      const storage = new MemoryStorage('', { localReads: false });
      let calls = 0;
      const dying = new FaultStorage(storage, () => {
        calls += 1;
        return calls > at ? { kind: 'before' } : undefined;
      });
      let saved: string | undefined;
      const work = async (): Promise<void> => {
        const task = await (await openFlow({ storage: dying })).createTaskDataStore(SPEC);
        for (const step of ['one', 'two']) {
          await task.checkpoint.save({ step, state: LARGE });
          saved = step;
        }
        isOver = true;
      };
      await work().catch(() => undefined);
      const flow = await openFlow({ storage });
      const task = await flow.createTaskDataStore(SPEC);
      const found = (await task.checkpoint.load()) as { step: string; state: Uint8Array } | undefined;
      expect(found?.step).toBe(saved);
      if (found) expect(Buffer.compare(found.state, LARGE)).toBe(0);
    }
  });

  it('that cannot be saved, or comes too late, is a typed error, and leaves the one before it', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(SPEC);
    await task.checkpoint.save(1);
    const error = await errorOf(task.checkpoint.save({ stop: () => {} }), 'UNSERIALIZABLE_ARTIFACT');
    expect(error.message).toContain('checkpoint.stop');
    await errorOf(task.checkpoint.save(2, { x: 1 } as never), 'INVALID_ARGUMENT');
    expect(await task.checkpoint.load()).toBe(1);
    await task.done();
    await errorOf(task.checkpoint.save(3), 'ATTEMPT_CLOSED');
    await errorOf(task.checkpoint.load(), 'ATTEMPT_CLOSED');
  });
});

describe('a checkpoint of a cached task', () => {
  it('is where the next try goes on, and is none where nothing is written', async () => {
    const flow = await openFlow();
    const steps: number[] = [];
    const task = flow.cachedTask({
      name: 'count',
      version: '1',
      retry: { attempts: 3 },
      run: async (most: number, ctx) => {
        const begun = (await ctx.checkpoint.load<number>()) ?? 0;
        for (let step = begun; step < most; step++) {
          steps.push(step);
          await ctx.checkpoint.save(step + 1);
          if (step === 1 && begun < 2) throw new Error('busy');
        }
        return steps.length;
      },
    });
    expect(await task(4)).toBe(4);
    expect(steps).toEqual([0, 1, 2, 3]);
    await expect(task(5, { mode: 'readonly' })).rejects.toThrow('busy');
    expect(steps).toEqual([0, 1, 2, 3, 0, 1, 0, 1, 0, 1]);
  });
});
