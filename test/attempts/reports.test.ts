import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';

import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { readReportVersions } from '../../src/format/report-records.ts';
import { decodeAttempt, readSessionFile } from '../../src/format/session-files.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { afterThisTest } from '../cleanups.ts';
import { abandonedDone } from '../content/storages.ts';
import { errorOf, objectNames, openFlow } from '../flow/fixtures.ts';
import { openHasty } from '../reports/hasty-attempt.ts';
import { parseReport } from '../reports/parsed-report.ts';
import { until } from '../waiting.ts';

const path = { flow: 'Test', run: 'r1', step: 'fit', task: '0' };
const TASK = 'r1/fit/0';
/** A storage that takes no plain object, so many times. */
class NoPlain extends FaultStorage {
  left = 0;

  constructor() {
    super(new MemoryStorage(), (operation, name) => {
      if (operation !== 'create' || !name.startsWith('plain/') || this.left === 0) return undefined;
      this.left -= 1;
      return { kind: 'before' };
    });
  }
}

const VERSIONS = 'partial/Test/r1/fit/0/0.report.';

async function textOf(flow: FlowDataStore, name: string): Promise<string> {
  const task = await flow.getTaskDataStore(TASK, { allowNotDone: true });
  return parseReport(await task.loadReport(name)).text;
}

describe('a report of a task', () => {
  it('is a plain object that the description of the attempt names', async () => {
    const flow = await openFlow();
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => {
      task.report('loss', { title: 'Loss of all epochs' }).markdown('It *fell*.');
      expect(task.report('loss').title).toBe('Loss of all epochs');
      task.report('empty');
    });
    const task = await flow.getTaskDataStore(TASK);
    const [report, ...more] = await task.reports();
    expect(more).toEqual([]);
    expect(report).toMatchObject({ name: 'loss', title: 'Loss of all epochs', isFinal: true });
    const bytes = await task.loadReport('loss');
    expect(bytes.length).toBe(report?.bytes);
    expect(parseReport(bytes).text).toContain('It fell.');
    const [plain] = await objectNames(flow.storage, 'plain/');
    expect(plain).toMatch(/\/loss\.html$/);
    expect(report?.uri).toBe(flow.storage.uri(plain as string));
    expect((await flow.storage.get(plain as string))?.body).toEqual(bytes);
    expect(await objectNames(flow.storage, 'partial/')).toEqual([]);
  });

  it('costs no object where it equals one that is stored', async () => {
    const flow = await openFlow();
    for (const taskId of ['0', '1'])
      await flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => {
        task.report('same').table([{ a: 1 }]);
      });
    expect(await objectNames(flow.storage, 'plain/')).toHaveLength(1);
  });

  it('is kept with the attempt that failed', async () => {
    const flow = await openFlow();
    const failing = flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => {
      task.report('loss').text('diverges');
      throw new Error('diverged');
    });
    await failing.catch(() => {});
    expect(await textOf(flow, 'loss')).toContain('diverges');
  });

  it('that is not there is told, with those that are', async () => {
    const flow = await openFlow();
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => {
      task.report('loss').text('x');
    });
    const task = await flow.getTaskDataStore(TASK);
    const error = await errorOf(task.loadReport('los'), 'REPORT_NOT_FOUND');
    expect(error.message).toContain('it has loss');
    expect(error.details).toMatchObject({ report: 'los', existing: ['loss'] });
  });

  it('is refused by a wrong name, a wrong title, and once the attempt is closed', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    for (const name of ['', 'a b', '../x', 'a.b', 'x'.repeat(33), '<script>'])
      expect(() => task.report(name)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }));
    const report = task.report('loss', { title: 'Loss' });
    for (const wrong of [
      () => task.report('loss', { title: 'Other' }),
      () => task.report('other', { title: '' }),
      () => task.report('other', { titel: 'x' } as never),
    ])
      expect(wrong).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    await task.done();
    for (const late of [() => report.text('late'), () => report.clear(), () => task.report('loss')])
      expect(late).toThrow(expect.objectContaining({ code: 'ATTEMPT_CLOSED' }));
  });

  it('of which there are too many is refused', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    for (let index = 0; index < 100; index++) task.report(`r${index}`);
    expect(() => task.report('r100')).toThrow(/at most 100 reports/);
    await task.done();
  });

  it('that cannot be stored keeps the attempt from being done, until it can', async () => {
    const storage = new NoPlain();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await task.saveArtifacts({ x: 1 });
    task.report('loss').text('kept');
    storage.left = Number.POSITIVE_INFINITY;
    await errorOf(task.done());
    expect(task.isClosed).toBe(false);
    storage.left = 0;
    await task.done();
    expect(await textOf(flow, 'loss')).toContain('kept');
  });

  it('that cannot be stored does not keep an attempt from failing with its own error, and is told', async () => {
    const storage = new NoPlain();
    const flow = await openFlow({ storage });
    const told: unknown[] = [];
    const listen = (message: unknown): unknown => told.push(message);
    subscribe('stowage:report-failed', listen);
    afterThisTest(() => {
      unsubscribe('stowage:report-failed', listen);
    });
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    task.report('loss').text('lost');
    storage.left = Number.POSITIVE_INFINITY;
    await task.fail(new Error('diverged'));
    expect(told).toEqual([{ pathspec: `${TASK}/0`, error: expect.anything() }]);
    const read = await flow.getTaskDataStore(TASK, { allowNotDone: true });
    expect([read.error?.message, await read.reports()]).toEqual(['diverged', []]);
  });
});

describe('a report of a running task', () => {
  it('is renewed when something was added; the latest counts', async () => {
    const flow = await openFlow();
    const attempt = await openHasty(flow);
    const report = attempt.report('loss').text('epoch 1');
    await until(async () => (await objectNames(flow.storage, VERSIONS)).length === 1);
    expect(await textOf(flow, 'loss')).toContain('epoch 1');
    report.text('epoch 2');
    await until(async () => (await objectNames(flow.storage, VERSIONS)).length === 2);
    expect(await textOf(flow, 'loss')).toContain('epoch 2');
    const read = await flow.getTaskDataStore(TASK, { allowNotDone: true });
    const [shown, ...more] = await read.reports();
    expect(more).toEqual([]);
    expect(shown).toMatchObject({ name: 'loss', isFinal: false });
    await attempt.done();
    expect(await textOf(flow, 'loss')).toContain('epoch 2');
    // The last version was written while it ran.
    expect(await objectNames(flow.storage, 'plain/')).toHaveLength(2);
  });

  it('is not written again while it is the same', async () => {
    const flow = await openFlow();
    const attempt = await openHasty(flow);
    const report = attempt.report('loss').text('same');
    await until(async () => (await objectNames(flow.storage, VERSIONS)).length === 1);
    report.clear().text('same');
    attempt.report('other').text('x');
    await until(async () => (await objectNames(flow.storage, VERSIONS)).length === 2);
    await attempt.done();
    expect((await objectNames(flow.storage, VERSIONS)).map((name) => name.slice(VERSIONS.length))).toEqual([
      'loss.00000000.json',
      'other.00000000.json',
    ]);
  });

  it('is written once, at the end, where the task ends before', async () => {
    const flow = await openFlow();
    const attempt = await openHasty(flow, 60_000);
    for (let epoch = 0; epoch < 100; epoch++) attempt.report('loss').text(`epoch ${epoch}`);
    await attempt.done();
    expect(await objectNames(flow.storage, 'plain/')).toHaveLength(1);
    expect(await objectNames(flow.storage, VERSIONS)).toEqual([]);
  });

  it('is tried again where it could not be written, and nothing fails by it', async () => {
    const storage = new NoPlain();
    const flow = await openFlow({ storage });
    const attempt = await openHasty(flow);
    storage.left = 3;
    attempt.report('loss').text('at last');
    await until(async () => (await objectNames(flow.storage, VERSIONS)).length === 1);
    expect(await textOf(flow, 'loss')).toContain('at last');
    await attempt.done();
  });

  it('has records that are of one attempt, and of one version', async () => {
    const flow = await openFlow();
    const attempt = await openHasty(flow);
    attempt.report('loss').text('a');
    const name = `${VERSIONS}loss.00000000.json`;
    await until(async () => (await objectNames(flow.storage, VERSIONS)).length === 1);
    const body = (await flow.storage.get(name))?.body as Uint8Array;
    await flow.storage.create(`${VERSIONS}loss.00000001.json`, body);
    await errorOf(readReportVersions(flow.storage, path, 0, {}), 'RECORD_DAMAGED');
  });
});

describe('an owner that a collector gave up on', () => {
  it('writes its reports again for the attempt that it closes', async () => {
    const flow = await openFlow();
    const attempt = await openHasty(flow);
    attempt.report('loss').text('kept');
    await until(async () => (await objectNames(flow.storage, VERSIONS)).length === 1);
    const base = 'flows/Test/r1/fit/0/0';
    const record = await readSessionFile(flow.storage, `${base}.attempt.json`, {});
    await flow.storage.create(`${base}.DONE`, abandonedDone(record as Uint8Array));
    // The collector that gave up on it deleted what it had.
    const content = [
      ...(await objectNames(flow.storage, 'plain/')),
      ...(await objectNames(flow.storage, 'manifests/')),
    ];
    await flow.storage.delete(content);
    await attempt.done();
    expect(attempt.number).toBe(1);
    expect(await textOf(flow, 'loss')).toContain('kept');
    const next = await readSessionFile(flow.storage, 'flows/Test/r1/fit/0/1.attempt.json', {});
    const { session } = decodeAttempt(next as Uint8Array, 'attempt', { attempt: 1 });
    for (const name of await objectNames(flow.storage, 'plain/')) expect(name).toContain(session);
  });
});
