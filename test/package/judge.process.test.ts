import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { type Finished, runNode } from './built.ts';

describe('docs/examples/judge.mjs, run twice on one store', () => {
  let folder: string;
  const runs: Finished[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-judge-'));
    for (let i = 0; i < 2; i++) runs.push(await runNode(['docs/examples/judge.mjs', folder]));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** What a run printed, without how long things took. */
  function printed(run: number): string[] {
    const { code, stdout, stderr } = runs[run] as Finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/(, in) \d+\.\d s/, '$1 _ s'));
  }

  it('plans and runs 500 calls, then the 20 that are other ones now', () => {
    const lines = printed(0);
    expect(lines[0]).toBe('first round: 0 hits, 500 misses; to run what is a hit took 0.0 s');
    const second = lines.findIndex((line) => line.startsWith('20 answers changed'));
    expect(lines[second]).toMatch(
      /^20 answers changed: 480 hits, 20 misses; to run what is a hit took [1-9]\d\.\d s$/,
    );
    expect(lines.at(-1)).toMatch(
      /^ {2}total score \d+, in _ s, 16 at a time; hits saved [1-9]\d\.\d s of calls$/,
    );
    expect(lines.filter((line) => line.startsWith('  500 of 500'))).toEqual([
      '  500 of 500: 0 hits, 2 failed',
      '  500 of 500: 480 hits, 0 failed',
    ]);
  });

  it('tells which items failed, and ends none of the others for it', () => {
    const failed = [
      '  item 123: RangeError: There is nothing to judge in ""',
      '  item 321: RangeError: There is nothing to judge in "..."',
    ];
    for (const run of [0, 1])
      expect(printed(run).filter((line) => line.startsWith('  item'))).toEqual(failed);
  });

  it('runs in another process only what failed before', () => {
    const plans = printed(1).filter((line) => / hits, \d+ misses/.test(line));
    expect(plans[0]).toMatch(/^first round: 498 hits, 2 misses; /);
    expect(plans[1]).toMatch(/^20 answers changed: 500 hits, 0 misses; /);
  });

  it('has on record each try of a call that was told to come again', async () => {
    await using flow = await FlowDataStore.open({ flowName: 'Judge', storage: folder });
    const [first] = (await flow.runs()).reverse();
    const tasks = await flow.getTaskDataStores({ runId: first?.run.runId as string, allowNotDone: true });
    const again = tasks.filter(({ isDone, attempt }) => isDone && attempt === 1);
    expect(again.length).toBeGreaterThan(0);
    const { runId, stepName, taskId } = again[0] as (typeof again)[0];
    const failed = await flow.getTaskDataStore(`${runId}/${stepName}/${taskId}/0`, { allowNotDone: true });
    expect(failed).toMatchObject({ status: 'failed', error: { message: 'Try again later' } });
  });
});
