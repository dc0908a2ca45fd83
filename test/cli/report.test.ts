import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Completion, complete } from '../../src/cli/completion/candidates.ts';
import { FlowDataStore } from '../../src/index.ts';
import { parseReport } from '../reports/parsed-report.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
const TASK = 'Train/r1/fit/0';

beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => {
    task.report('loss', { title: 'Loss\x1b]0;evil\x07' }).text('it fell');
    task.report('other').text('more');
  });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '1' }, (task) => {
    task.report('only').text('alone');
  });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '2' }, () => {});
});

describe('stowage report', () => {
  it('lists the reports of a task, each with its address, and nothing that commands a terminal', async () => {
    const { code, stdout } = await stowage(store, ['report', TASK]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^REPORT +TITLE +SIZE +ADDRESS\nloss +Loss.* file:\/\/\/.*\/loss\.html\nother +other/,
    );
    expect(stdout).not.toContain('\x1b');
    const { reports, ...head } = await json(store, ['report', `${TASK}/0`, 'loss']);
    expect(head).toEqual({ flow: 'Train', run: 'r1', step: 'fit', task: '0', attempt: 0 });
    expect(reports).toEqual([expect.objectContaining({ name: 'loss', isFinal: true })]);
    const file = readFileSync(new URL(reports[0].uri));
    expect(parseReport(file).text).toContain('it fell');
    expect((await json(store, ['report', 'Train/r1/fit/2'])).reports).toEqual([]);
    expect((await stowage(store, ['report', 'Train/r1/fit/2'])).stderr).toContain('has no reports');
  });

  it('-o writes one to a file, which it does not replace, or to the standard output', async () => {
    const file = join(folder, 'loss.html');
    expect((await stowage(store, ['report', 'Train/latest/fit/0', 'loss', '-o', file])).code).toBe(0);
    expect(parseReport(readFileSync(file)).text).toContain('it fell');
    const again = await stowage(store, ['report', TASK, 'other', '-o', file]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('it exists already')]);
    expect((await stowage(store, ['report', TASK, 'other', '-o', file, '--force'])).code).toBe(0);
    expect(parseReport(readFileSync(file)).text).toContain('more');
    const { bytes } = await stowage(store, ['report', 'Train/r1/fit/1', '-o', '-']);
    expect(parseReport(bytes).text).toContain('alone');
  });

  it('says which there are, where one has to be named, or there is none of that name', async () => {
    const which = await stowage(store, ['report', TASK, '-o', '-']);
    expect([which.code, which.stderr]).toEqual([2, expect.stringContaining('loss, other')]);
    const wrong = await stowage(store, ['report', TASK, 'los']);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('There is no report "los"')]);
    const none = await stowage(store, ['report', 'Train/r1/fit/2', '--open']);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('it has none')]);
    for (const args of [
      ['--open', '-o', 'x'],
      ['--json', '-o', 'x'],
      ['--json', '--open'],
      ['-o', ''],
    ])
      expect((await stowage(store, ['report', TASK, 'loss', ...args])).code).toBe(2);
    expect((await stowage(store, ['report', 'Train/r1/fit'])).code).toBe(2);
    expect((await stowage(store, ['report', 'Train/r1/fit/nine'])).stderr).toContain('nine');
    expect(readdirSync(folder)).not.toContain('x');
  });

  it('is named by show', async () => {
    const { stdout } = await stowage(store, ['show', TASK]);
    expect(stdout).toMatch(/Reports\nREPORT +TITLE +SIZE\nloss/);
    const { reports } = await json(store, ['show', TASK]);
    expect(reports.map(({ name }: { name: string }) => name)).toEqual(['loss', 'other']);
  });

  it('completes the names of reports', async () => {
    const completed = ({ candidates }: Completion): string[] => candidates.map(({ value }) => value);
    const words = ['--store', store, 'report', TASK];
    const signal = AbortSignal.timeout(60_000);
    expect(completed(await complete(words, '', signal))).toEqual(['loss', 'other']);
    expect(completed(await complete(words, 'o', signal))).toEqual(['other']);
  });
});
