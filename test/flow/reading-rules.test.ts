import { describe, expect, it } from 'vitest';
import { encodeDescription } from '../../src/format/description.ts';
import { decodeRecord } from '../../src/format/record.ts';
import { bodyOf } from '../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

describe('which attempt is read', () => {
  it('without a number it is the latest started, which must be done', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 0 });
    await saveTask(flow, { x: 1 });
    expect(await (await flow.getTaskDataStore('r1/fit/0')).get('x')).toBe(1);
    const open = await flow.createTaskDataStore(spec);
    const error = await errorOf(flow.getTaskDataStore('r1/fit/0'), 'ATTEMPT_NOT_DONE');
    expect(error.message).toMatch(/r1\/fit\/0\/2 .*is not finished.*latestDone.*allowNotDone/s);
    expect(await flow.getTaskDataStores({ runId: 'r1' })).toEqual([]);
    await open.done();
    expect((await flow.getTaskDataStore('r1/fit/0')).attempt).toBe(2);
  });

  it('a number, or latestDone, reads an older done one', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 0 });
    await saveTask(flow, { x: 1 });
    await errorOf(async () => {
      await flow.task(spec, () => Promise.reject(new RangeError('no convergence')));
    }).catch((error) => expect(error).toBeInstanceOf(RangeError));
    expect((await flow.getTaskDataStore('r1/fit/0', { attempt: 0 })).attempt).toBe(0);
    expect((await flow.getTaskDataStore('r1/fit/0', { attempt: 'latestDone' })).attempt).toBe(1);
    const failed = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
    expect([failed.status, failed.error?.name, failed.error?.message]).toEqual([
      'failed',
      'RangeError',
      'no convergence',
    ]);
    await errorOf(flow.getTaskDataStore('r1/fit/0/2'), 'ATTEMPT_NOT_DONE');
    const prior = await flow.getTaskDataStores({ runId: 'r1', includePrior: true });
    expect(prior.map((task) => task.attempt)).toEqual([0, 1]);
  });

  it('a stale attempt may still be closed by its owner, but the later one counts', async () => {
    const flow = await openFlow();
    const stale = await flow.createTaskDataStore(spec);
    await saveTask(flow, { by: 'later' });
    await stale.saveArtifacts({ by: 'stale' });
    await stale.done();
    expect(await (await flow.getTaskDataStore('r1/fit/0')).get('by')).toBe('later');
    expect(await (await flow.getTaskDataStore('r1/fit/0/0')).get('by')).toBe('stale');
  });

  it('attempts are ordered as numbers, not as text', async () => {
    const flow = await openFlow();
    for (const attempt of [2, 10, 9]) await saveTask(flow, { attempt }, { attempt });
    expect((await flow.getTaskDataStore('r1/fit/0')).attempt).toBe(10);
    const next = await flow.createTaskDataStore(spec);
    expect(next.attempt).toBe(11);
    await next.done();
  });

  it('unknown runs, tasks and latestDone without a done attempt say so', async () => {
    const flow = await openFlow();
    await errorOf(flow.getTaskDataStore('r1/fit/0'), 'NO_SUCH_STORE');
    const open = await flow.createTaskDataStore(spec);
    await errorOf(flow.getTaskDataStore('r1/fit/0', { attempt: 'latestDone' }), 'ATTEMPT_NOT_DONE');
    await errorOf(flow.getTaskDataStore('r1/fit/9'), 'TASK_NOT_FOUND');
    await errorOf(flow.getTaskDataStores({ runId: 'r9' }), 'RUN_NOT_FOUND');
    await errorOf(flow.run('r9').info(), 'RUN_NOT_FOUND');
    await open.done();
  });
});

describe('what retention left', () => {
  const base = 'flows/Test/r1/fit/0/0';

  it('a deleted attempt is said to be deleted, and its number is not used again', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    await flow.storage.create(`${base}.DELETED`, new Uint8Array(0));
    await flow.storage.delete([`${base}.metadata.json`]);
    await errorOf(flow.getTaskDataStore('r1/fit/0'), 'ATTEMPT_DELETED');
    await errorOf(flow.createTaskDataStore({ ...spec, attempt: 0 }), 'ATTEMPT_EXISTS');
    expect(await flow.getTaskDataStores({ runId: 'r1' })).toEqual([]);
    const next = await flow.createTaskDataStore(spec);
    expect(next.attempt).toBe(1);
    await next.done();
  });

  it('a purged attempt keeps its history and small values', async () => {
    const flow = await openFlow();
    await saveTask(flow, { small: 1, large: noise(50_000) });
    await flow.storage.create(`${base}.PURGED`, new Uint8Array(0));
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(await task.get('small')).toBe(1);
    await errorOf(task.get('large'), 'CONTENT_PURGED');
    await errorOf(async () => {
      for await (const piece of task.streamArtifact('large')) expect(piece).toBeUndefined();
    }, 'CONTENT_PURGED');
  });

  it('an erased artifact tells why, and the others stay', async () => {
    const flow = await openFlow();
    await saveTask(flow, { secret: 'x', open: 'y' });
    const table = { artifacts: [] };
    const { session } = decodeRecord(await bodyOf(flow.storage, `${base}.DONE`), 'DONE');
    const record = encodeDescription({
      session: session as string,
      subject: {
        ...{ flow: 'Test', run: 'r1', step: 'fit', task: '0', attempt: 0 },
        ...{ reason: 'asked for by its owner', erased: ['secret'] },
      },
      startedAt: '2026-01-01T00:00:00.000Z',
      table,
      metadata: {},
      readFrom: [],
    });
    await flow.storage.create(`${base}.ERASED.00000000.json`, record);
    await flow.storage.delete([`${base}.metadata.json`]);
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect((await errorOf(task.get('secret'), 'CONTENT_ERASED')).message).toContain('asked for by its owner');
  });

  it('a closed attempt with neither a description nor a mark is damage', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    await flow.storage.delete([`${base}.metadata.json`]);
    await errorOf(flow.getTaskDataStore('r1/fit/0'), 'RECORD_DAMAGED');
  });

  it('the metadata.json of another attempt is not taken for this one', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    await saveTask(flow, { x: 2 });
    const other = await flow.storage.get('flows/Test/r1/fit/0/1.metadata.json');
    await flow.storage.delete([`${base}.metadata.json`]);
    await flow.storage.create(`${base}.metadata.json`, other?.body as Uint8Array);
    await errorOf(flow.getTaskDataStore('r1/fit/0/0'), 'RECORD_DAMAGED');
  });
});

describe('a run', () => {
  it('tells its tags, parameters, parents, steps, tasks and end', async () => {
    const flow = await openFlow();
    const run = await flow.createRun({
      runId: 'r1',
      tags: ['nightly'],
      parameters: { lr: 0.1 },
      parents: ['Test/r0'],
    });
    await saveTask(flow, {}, { stepName: 'a' });
    await saveTask(flow, {}, { stepName: 'b', taskId: 'z' });
    await saveTask(flow, {}, { stepName: 'b', taskId: 'y' });
    expect(await run.info()).toMatchObject({
      tags: ['nightly'],
      parameters: { lr: 0.1 },
      parents: ['Test/r0'],
      status: 'open',
    });
    expect(await run.steps()).toEqual(['a', 'b']);
    expect((await run.tasks({ steps: ['b'] })).map((task) => task.pathspec)).toEqual([
      'r1/b/y/0',
      'r1/b/z/0',
    ]);
    await run.finish('failed', { error: new Error('gave up') });
    expect(await run.info()).toMatchObject({ status: 'failed', finished: { error: { message: 'gave up' } } });
    await run.finish();
    expect(await run.info()).toMatchObject({ status: 'done' });
    await errorOf(run.finish(), 'RUN_EXISTS');
    await errorOf(flow.createRun({ runId: 'r1' }), 'RUN_EXISTS');
    expect((await objectNames(flow.storage, 'runs/')).sort()).toEqual([
      expect.stringMatching(/^runs\/Test\/r1\/at\.\d{13}$/),
      'runs/Test/r1/created.json',
      'runs/Test/r1/finished.00000001.json',
      'runs/Test/r1/finished.json',
    ]);
  });

  it('keeps the error that it is finished by, with or without members of its own', async () => {
    const flow = await openFlow();
    const run = await flow.createRun({ runId: 'r1' });
    await run.finish('failed', Object.assign(new RangeError('diverged'), { code: 7 }));
    expect((await run.info()).finished?.error).toMatchObject({ name: 'RangeError', message: 'diverged' });
    await errorOf(run.finish('failed', { eror: 'a text' } as never), 'INVALID_ARGUMENT');
  });

  it.each([['a text'], [null], [5], [['a list']], [Object.create(null)]])(
    'keeps what is no error, but was thrown: %j',
    async (thrown) => {
      const flow = await openFlow();
      const run = await flow.createRun({ runId: 'r1' });
      const isOptions = typeof thrown === 'object' && thrown !== null && !Array.isArray(thrown);
      await run.finish('failed', (isOptions ? { error: thrown } : thrown) as never);
      const { status, finished } = await run.info();
      expect([status, typeof finished?.error?.message]).toEqual(['failed', 'string']);
    },
  );

  it('refuses the error of a run that is done', async () => {
    const flow = await openFlow();
    const run = await flow.createRun({ runId: 'r1' });
    await errorOf(run.finish('done', new Error('x')), 'INVALID_ARGUMENT');
    expect((await run.info()).status).toBe('open');
  });

  it('the latest done one is found, and the newest comes first', async () => {
    const flow = await openFlow();
    await (await flow.createRun({ runId: 'old' })).finish();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await (await flow.createRun({ runId: 'newer' })).finish('failed');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await flow.createRun({ runId: 'newest' });
    expect((await flow.runs()).map(({ run }) => run.runId)).toEqual(['newest', 'newer', 'old']);
    expect((await flow.latestRun())?.runId).toBe('old');
    expect((await flow.latestRun({ status: 'any' }))?.runId).toBe('newest');
  });
});
