import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DataFrameRef, type FileRef, FlowDataStore, type TaskDataStore } from '../../src/index.ts';
import { readerFolder } from '../docs/reader-folder.ts';
import { parseReport } from '../reports/parsed-report.ts';
import { type Finished, ROOT, runNode } from './built.ts';

const EXAMPLES = join(ROOT, 'docs/examples');
const GENRES = ['Action', 'Adventure', 'Comedy', 'Drama', 'Horror', 'Romantic Comedy', 'Thriller/Suspense'];
const ALL = [
  'compare models',
  'fetch films',
  ...GENRES.map((genre) => `fit ${genre}`),
  'load films',
  'split films',
];

/** The calls of which the demo printed that they ran, or were hits: step and what it is of. */
function callsThat(which: 'ran' | 'hit', { code, stdout, stderr }: Finished): string[] {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const rows = stdout.matchAll(/^(fetch|load|split|fit|compare) +(\S.*?) +\d+ +(ran, took|hit, saved) /gm);
  return [...rows]
    .filter(([, , , result]) => result?.startsWith(which))
    .map(([, step, of]) => `${step} ${of}`)
    .sort();
}

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

  /** The tasks of a step of a run, the newest run being 0. */
  async function tasksOf(age: number, step: string): Promise<TaskDataStore[]> {
    const runs = await flow.runs();
    return flow.getTaskDataStores({ runId: runs[age]?.run.runId as string, steps: [step] });
  }

  it('ends well, and says so on a page of 80 columns', () => {
    for (const { code, stdout, stderr } of runs) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const lines = stdout.trimEnd().split('\n');
      expect(lines.length).toBeLessThan(50);
      // What is typed may be longer: it holds the store's path.
      expect(lines.filter((line) => line.length > 80 && !line.includes(folder))).toEqual([]);
    }
  });

  it('runs each step once; the second time all are hits, which save what they took', () => {
    const [first, second] = runs as [Finished, Finished];
    expect([callsThat('ran', first), callsThat('hit', first)]).toEqual([ALL, []]);
    expect([callsThat('ran', second), callsThat('hit', second)]).toEqual([[], ALL]);
    expect(first.stdout).toMatch(/^0 of 11 calls were hits, which saved 0 ms; all calls took \d/m);
    expect(second.stdout).toMatch(/^11 of 11 calls were hits, which saved [1-9].*; all calls took \d/m);
  });

  it('stores no content and few records the second time', () => {
    expect(runs[0]?.stdout).toMatch(/New by this run: +\d{3}\.\d kB of content/);
    expect(runs[1]?.stdout).toMatch(/New by this run: +0 B of content, \d\d\.\d kB of records/);
  });

  it('keeps the attempt that failed half-way, why, and the one that went on from there', async () => {
    const [second] = await tasksOf(1, 'fetch');
    const { runId, stepName, taskId } = second as TaskDataStore;
    const first = await flow.getTaskDataStore(`${runId}/${stepName}/${taskId}/0`, { allowNotDone: true });
    expect(first).toMatchObject({ status: 'failed', error: { name: 'TypeError', message: 'terminated' } });
    const pagesOf = (log: string) =>
      [...log.matchAll(/^GET http:.*\?page=(\d) \(vega-datasets /gm)].map(([, page]) => page);
    expect(pagesOf(await first.loadLogs('task'))).toEqual(['0', '1', '2']);
    expect(second).toMatchObject({ status: 'done', attempt: 1 });
    const log = (await second?.loadLogs('task')) ?? '';
    expect(pagesOf(log)).toEqual(['2', '3']);
    expect(log).toContain('3201 films');
  });

  it('passes a file and data frames on by reference, and keeps a report of what came of them', async () => {
    const [fetched] = await tasksOf(1, 'fetch');
    const file = await fetched?.get<FileRef>('output');
    expect(await file?.json()).toHaveLength(3201);
    const [loaded] = await tasksOf(1, 'load');
    expect((await loaded?.get<{ file: FileRef }>('input'))?.file.digest).toBe(file?.digest);
    const fits = await tasksOf(1, 'fit');
    const inputs = await Promise.all(
      fits.map((task) => task.get<{ genre: string; films: DataFrameRef }>('input')),
    );
    const horror = inputs.find(({ genre }) => genre === 'Horror')?.films;
    expect((await horror?.schema())?.map(({ name }) => name)).toEqual(
      'title genre released budget gross rating'.split(' '),
    );
    expect(await horror?.rowCount()).toBeGreaterThan(100);
    const [compared] = await tasksOf(1, 'compare');
    const { elements, text } = parseReport((await compared?.loadReport('payback')) as Uint8Array);
    expect(elements.filter(({ tagName }) => tagName === 'rect')).toHaveLength(GENRES.length);
    expect(text).toContain('Thriller/Suspense');
  });

  it('has each hit as an attempt of its own run, which shares the content', async () => {
    for (const [step, count] of Object.entries({ fetch: 1, load: 1, split: 1, fit: 7, compare: 1 })) {
      const [hits, ran] = [await tasksOf(0, step), await tasksOf(1, step)];
      expect(hits.length).toBe(count);
      const keysOf = (tasks: TaskDataStore[]) => tasks.map((task) => [task.taskId, task.info('output').key]);
      expect(keysOf(hits)).toEqual(keysOf(ran));
    }
  });

  it('brings back values of many types', async () => {
    const fits = await tasksOf(0, 'fit');
    const outputs = await Promise.all(
      fits.map((task) => task.get<{ model: { genre: string }; residuals: Float64Array }>('output')),
    );
    expect(outputs.find(({ model }) => model.genre === 'Horror')).toMatchObject({
      model: { surprise: { title: 'The Blair Witch Project', released: expect.any(Date) } },
      residuals: expect.any(Float64Array),
    });
    const [compare] = await tasksOf(0, 'compare');
    expect(await compare?.get('output')).toMatchObject({ surprises: expect.any(Map) });
    expect(new TextDecoder().decode(await compare?.get('chart'))).toMatch(/^<svg .*<\/svg>\n$/);
    const [load] = await tasksOf(0, 'load');
    const films = (await load?.get<{ released: Date; genre?: string; budget: number }[]>('output')) ?? [];
    expect(films.length).toBe(3201);
    expect(films.every(({ released }) => released instanceof Date)).toBe(true);
    expect(films.some((film) => 'genre' in film && film.genre === undefined)).toBe(true);
    expect(films.some(({ budget }) => Number.isNaN(budget))).toBe(true);
  });
});

describe('the demo, run again after an edit', () => {
  const folder = readerFolder();
  const reader = join(folder, 'examples');
  const before = join(folder, 'store');

  beforeAll(async () => {
    await mkdir(reader);
    for (const file of ['movies.mjs', 'movies-report.mjs'])
      await cp(join(EXAMPLES, file), join(reader, file));
    const { code } = await runNode([join(reader, 'movies.mjs'), before]);
    expect(code).toBe(0);
  });

  const edits: { title: string; file?: string; from: string; to: string; ran: string[] }[] = [
    {
      title: 'of comments and layout, runs nothing',
      from: "  const chart = join(workDir, 'chart.svg');",
      to: "  const chart = // in the attempt's own folder\n    join(workDir, 'chart.svg');",
      ran: [],
    },
    {
      title: "of one function's body, runs that step and those whose inputs changed",
      from: 'payback: median(paybacks),',
      to: 'payback: median(paybacks) + 1,',
      ran: ['compare models', ...GENRES.map((genre) => `fit ${genre}`)],
    },
    {
      title: 'after which a step comes to the same, ends there',
      from: 'return rows.map(toFilm);',
      to: 'const films = rows.map(toFilm);\n  return films;',
      ran: ['load films'],
    },
    {
      title: 'of a function that a step depends on, runs that step',
      from: 'Array.from({ length: 10_000 }, () => median(sample()))',
      to: 'Array.from({ length: 10_000 }, sample).map((drawn) => median(drawn))',
      ran: GENRES.map((genre) => `fit ${genre}`),
    },
    {
      title: 'in another file, runs the step that depends on it',
      file: 'movies-report.mjs',
      from: 'fill="steelblue"',
      to: 'fill="teal"',
      ran: ['compare models'],
    },
    {
      title: 'of the configuration, runs of a fan-out only what is new',
      from: 'minFilms: 100',
      to: 'minFilms: 40',
      ran: ['compare models', 'fit Musical', 'split films'],
    },
  ];

  it.each(edits)('$title', async ({ file = 'movies.mjs', from, to, ran }) => {
    const text = await readFile(join(reader, file), 'utf8');
    expect(text.split(from).length).toBe(2);
    const store = join(folder, 'edited-store');
    await cp(before, store, { recursive: true });
    try {
      await writeFile(join(reader, file), text.replace(from, to));
      expect(callsThat('ran', await runNode([join(reader, 'movies.mjs'), store]))).toEqual(ran);
    } finally {
      await writeFile(join(reader, file), text);
      await rm(store, { recursive: true });
    }
  });
});
