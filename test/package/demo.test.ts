import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { type Finished, runNode } from './built.ts';

describe('the demo, run twice on one store', () => {
  let folder: string;
  let flow: FlowDataStore;
  const runs: Finished[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-demo-'));
    for (let i = 0; i < 2; i++) runs.push(await runNode(['docs/examples/movies.mjs', folder]));
    flow = await FlowDataStore.open({ flowName: 'Movies', storage: folder });
  });

  afterAll(async () => {
    await flow?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('ends well, and says so on a page of 80 columns', () => {
    for (const { code, stdout, stderr } of runs) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const lines = stdout.trimEnd().split('\n');
      expect(lines.length).toBeLessThan(50);
      // What is typed may be longer: it holds the store's path.
      expect(lines.filter((line) => line.length > 80 && !line.includes(folder))).toEqual([]);
    }
  });

  it('stores no content and few records the second time', () => {
    expect(runs[0]?.stdout).toMatch(/New by this run: +\d{3}\.\d kB of content/);
    expect(runs[1]?.stdout).toMatch(/New by this run: +0 B of content, \d\d\.\d kB of records/);
  });

  it('keeps the attempt that failed, why, and the one that succeeded', async () => {
    const latest = await flow.latestRun();
    const tasks = await latest?.tasks();
    expect(tasks?.map(({ stepName }) => stepName).sort()).toEqual(
      ['compare', ...Array(7).fill('fit'), 'load', 'split'].sort(),
    );
    const first = await flow.getTaskDataStore(`${latest?.runId}/load/0/0`, { allowNotDone: true });
    const second = await flow.getTaskDataStore(`${latest?.runId}/load/0`);
    expect(first).toMatchObject({ status: 'failed', error: { name: 'TypeError', message: 'terminated' } });
    expect(await first.loadLogs('task')).toMatch(/^GET http/);
    expect(second).toMatchObject({ status: 'done', attempt: 1 });
    expect(await second.loadLogs('task')).toContain('3201 films in 1399981 bytes');
  });

  it('brings back values of many types', async () => {
    const run = await flow.latestRun();
    const fit = await flow.getTaskDataStore(`${run?.runId}/fit/horror`);
    const { model, residuals } = await fit.loadArtifacts<{ model: object; residuals: Float64Array }>([
      'model',
      'residuals',
    ]);
    expect(model).toMatchObject({ genre: 'Horror', surprise: { title: 'The Blair Witch Project' } });
    expect(residuals).toBeInstanceOf(Float64Array);
    const compare = await flow.getTaskDataStore(`${run?.runId}/compare/0`);
    expect(await compare.get('surprises')).toBeInstanceOf(Map);
    expect(new TextDecoder().decode(await compare.get('chart'))).toMatch(/^<svg .*<\/svg>\n$/);
    const load = await flow.getTaskDataStore(`${run?.runId}/load/0`);
    const films = await load.get<{ released: Date; genre?: string; budget: number }[]>('films');
    expect(films.every(({ released }) => released instanceof Date)).toBe(true);
    expect(films.some((film) => 'genre' in film && film.genre === undefined)).toBe(true);
    expect(films.some(({ budget }) => Number.isNaN(budget))).toBe(true);
  });
});
