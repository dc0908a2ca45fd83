import { describe, expect, it } from 'vitest';
import { decodeAttempt, SESSION_FILES } from '../../src/format/session-files.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames, openFlow } from '../flow/fixtures.ts';

const SPEC = { runId: 'r', stepName: 's', taskId: '0' };

describe('a label', () => {
  it('is kept by open, closed, failed and copied attempts, and read of each', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const label = 'question of Änna: "why?" 🙂';
    const open = await flow.createTaskDataStore({ ...SPEC, label });
    expect(open.label).toBe(label);
    const name = `flows/Test/r/s/0/0${SESSION_FILES.attempt}`;
    const record = (await storage.get(name))?.body as Uint8Array;
    expect(decodeAttempt(record, name, { attempt: 0 }).label).toBe(label);
    const unfinished = await flow.getTaskDataStore('r/s/0', { allowNotDone: true });
    expect(unfinished.label).toBe(label);
    await open.done();
    expect((await flow.getTaskDataStore('r/s/0')).label).toBe(label);
    await flow.task({ ...SPEC, taskId: '1' }, async (task) => task.saveArtifacts({ x: 1 }));
    expect((await flow.getTaskDataStore('r/s/1')).label).toBeUndefined();

    const copy = new MemoryStorage();
    await copyStore({ from: storage, to: copy });
    const copied = await openFlow({ storage: copy });
    expect((await copied.getTaskDataStore('r/s/0')).label).toBe(label);
  });

  it.each([
    [''],
    ['  '],
    ['two\nlines'],
    ['\u001b[2J'],
    ['a\u2028b'],
    ['\ud800'],
    ['x'.repeat(257)],
    ['é'.repeat(129)],
    [7],
    [null],
  ])('that is no line of text is refused, and leaves nothing: %j', async (label) => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const spec = { ...SPEC, label } as never;
    for (const open of [() => flow.createTaskDataStore(spec), () => flow.task(spec, () => 1)]) {
      const error = await errorOf(open, 'INVALID_ARGUMENT');
      expect(error.message).toContain('label must be a line of text of at most 256 bytes');
    }
    const task = flow.cachedTask({ name: 'c', version: '1', run: () => 1 });
    await errorOf(task(1 as never, { label } as never), 'INVALID_ARGUMENT');
    await errorOf(async () => task.map([], { label } as never), 'INVALID_ARGUMENT');
    expect(await objectNames(storage)).toEqual([]);
  });
});

describe('the label of a cached call', () => {
  it('is that of the attempt it runs as, or is recorded as, and no part of the key', async () => {
    const flow = await openFlow();
    const judge = flow.cachedTask({ name: 'judge', version: '1', run: (text: string) => text.length });
    const labelOf = async (pathspec: string | undefined) =>
      (await flow.getTaskDataStore(pathspec as string)).label;
    const miss = await judge.detailed('why', { runId: 'a', label: 'first' });
    expect(await labelOf(miss.recorded)).toBe('first');
    const hit = await judge.detailed('why', { runId: 'b', label: 'second', recordHit: true });
    expect([hit.hit, await labelOf(hit.recorded)]).toEqual([true, 'second']);
    const unlabelled = await judge.detailed('why', { runId: 'c', recordHit: true });
    expect(await labelOf(unlabelled.recorded)).toBeUndefined();
  });

  it('is told by map for each input, and one that cannot be is the outcome of its input alone', async () => {
    const flow = await openFlow();
    const judge = flow.cachedTask({ name: 'judge', version: '1', run: (text: string) => text.length });
    const label = (text: string, index: number): string => {
      if (text === 'ccc') throw new Error('no label');
      return text === 'dddd' ? 'two\nlines' : `${index} ${text}`;
    };
    const outcomes = [];
    for await (const outcome of judge.map(['a', 'bb', 'ccc', 'dddd'], { runId: 'r', label }))
      outcomes.push(outcome);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, false, false]);
    const tasks = await flow.getTaskDataStores({ runId: 'r' });
    expect(tasks.map((task) => task.label).sort()).toEqual(['0 a', '1 bb']);
    for await (const outcome of judge.map(['e'], { runId: 's', label: 'all' })) expect(outcome.ok).toBe(true);
    expect((await flow.getTaskDataStores({ runId: 's' }))[0]?.label).toBe('all');
  });

  it('may be told by any number of equal calls at once, and is that of the one that runs', async () => {
    const flow = await openFlow();
    const judge = flow.cachedTask({ name: 'judge', version: '1', run: (text: string) => text.length });
    await Promise.all(['x', 'y'].map((label) => judge('why', { runId: 'r', label })));
    const [task] = await flow.getTaskDataStores({ runId: 'r' });
    expect(task?.label).toBe('x');
  });
});
