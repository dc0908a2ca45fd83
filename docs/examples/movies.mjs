// @ts-check
/**
 * What does a film's budget buy? A small pipeline over the 3,201 films of the package `vega-datasets`:
 *
 *     fetch -> load -> split -> fit (a call for each genre) -> compare
 *
 * Each step is a cached task. In the repository, start it by `npm run demo`, or `node docs/examples/movies.mjs <store>`, and start it twice: the
 * second run finds every result, runs nothing, and stores no content. Then change the body of a function, and start it again: that
 * step runs, and those whose inputs are other ones now. Steps behind one that comes to what it came to before do not.
 * The network breaks off in the middle of `fetch`: its next try goes on from there. The file that it saves is passed on by reference, as are data frames
 * to `fit`, which reads two of their columns. What the films bring in is drawn into a report, which a browser opens.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { FlowDataStore } from 'stowage';
import { drawChart, measureStore, printRun } from './movies-report.mjs';

/**
 * @typedef {import('stowage').CachedTaskContext} Context
 * @typedef {import('stowage').FileRef} FileRef
 * @typedef {{ title: string, genre: string | undefined, released: Date, budget: number, gross: number,
 *   rating: number }} Film `NaN` where the source has no number.
 * @typedef {import('stowage').DataFrameRef} DataFrameRef
 * @typedef {{ genre: string, films: number, slope: number, intercept: number, r2: number, payback: number,
 *   between: number[], surprise: { title: string, released: Date, factor: number } }} Model
 */

const { linearRegression, linearRegressionLine, median, quantile, rSquared } = await loadStatistics();
const storage = process.argv[2] ?? './.stowage';
const parameters = { minFilms: 100, minBudget: 100_000 };

// Values up to 1 KiB lie in a task's description; larger ones are content, which tasks and runs share.
const flow = await FlowDataStore.open({ flowName: 'Movies', storage, maxInlineBytes: 1024 });

// A step is known by its name, its input, and its code: that of the function and of what `dependsOn` names.
const fetching = flow.cachedTask({
  name: 'fetch',
  version: 'auto',
  // Where the films come from is another address every time, and changes nothing of them.
  ignoredInputs: ['url'],
  retry: { attempts: 2 },
  run: fetchFilms,
});
const load = flow.cachedTask({ name: 'load', version: 'auto', dependsOn: [toFilm], run: loadFilms });
const split = flow.cachedTask({
  name: 'split',
  version: 'auto',
  dependsOn: [toColumns],
  config: parameters,
  ignoredVariables: ['parameters'], // they count by `config`
  run: splitByGenre,
});
const fit = flow.cachedTask({
  name: 'fit',
  version: 'auto',
  dependsOn: [
    resampledMedians,
    randomNumbers,
    linearRegression,
    linearRegressionLine,
    median,
    quantile,
    rSquared,
  ],
  // What the functions of the library call in their turn.
  ignoredVariables: ['multiQuantileSelect', 'quantileSorted', 'quantileIndex', 'quantileSelect'],
  run: fitModel,
});
const compare = flow.cachedTask({
  name: 'compare',
  version: 'auto',
  dependsOn: [drawChart],
  ignoredVariables: ['join', 'writeFile'],
  run: compareModels,
});

const sizeBefore = await measureStore(flow.storage);
const run = await flow.createRun({ tags: ['demo'], parameters });
const site = await serveFilms();
/** @type {import('./movies-report.mjs').Step[]} */
const steps = [];
const beganMs = performance.now();

try {
  const { source, url, pages } = site;
  const file = await step(fetching, 'films', { source, url, pages });
  const films = await step(load, 'films', { file });
  const genres = await step(split, 'films', films);
  const fits = await Promise.all(
    [...genres].map(([genre, columns]) => step(fit, genre, { genre, films: columns })),
  );
  await step(
    compare,
    'models',
    fits.map(({ model }) => model),
  );
  await run.finish();
} catch (error) {
  await run.finish('failed', { error });
  throw error;
} finally {
  site.close();
}
const tookMs = performance.now() - beganMs;
await printRun({ flow, run, steps, tookMs, sizeBefore, storage });
await flow.close();

/**
 * The result of a cached task, as part of this run: what it is a hit of becomes an attempt of this run too, which shares its content.
 *
 * @template Output
 * @param {import('stowage').CachedTask<any, Output>} task
 * @param {string} of
 * @param {unknown} input
 */
async function step(task, of, input) {
  const result = await task.detailed(input, { runId: run.runId, recordHit: true });
  steps.push({ of, ...result });
  return result.value;
}

/**
 * Fetches the films, page by page, into a file. A connection that breaks off makes `fetch` throw; the failed attempt stays on record, and the next
 * one goes on from its last checkpoint: the pages that were there already are not fetched again.
 *
 * @param {{ source: string, url: string, pages: number }} input
 * @param {Context} ctx
 * @returns {Promise<FileRef>}
 */
async function fetchFilms({ source, url, pages }, { log, signal, checkpoint, files }) {
  const saved = /** @type {{ rows: object[], next: number } | undefined} */ (await checkpoint.load());
  let { rows, next } = saved ?? { rows: [], next: 0 };
  while (next < pages) {
    log(`GET ${url}?page=${next} (${source})`);
    const response = await fetch(`${url}?page=${next}`, { signal });
    rows = [...rows, .../** @type {object[]} */ (await response.json())];
    next += 1;
    await checkpoint.save({ rows, next });
  }
  log(`${rows.length} films`);
  return files.fromData('movies.json', JSON.stringify(rows));
}

/** Reads the films, of which the step was given no more than a reference. @param {{ file: FileRef }} input @returns {Promise<Film[]>} */
async function loadFilms({ file }) {
  /** @type {Record<string, any>[]} */
  const rows = await file.json();
  return rows.map(toFilm);
}

/**
 * A data frame for each genre that has enough films.
 *
 * @param {Film[]} films
 * @param {Context} ctx
 * @returns {Promise<Map<string, DataFrameRef>>}
 */
async function splitByGenre(films, { frames }) {
  const { minFilms, minBudget } = parameters;
  /** @type {Map<string, Film[]>} */
  const byGenre = new Map();
  for (const film of films) {
    const { genre, budget, gross } = film;
    const isUseful = budget >= minBudget && gross > 0;
    if (genre && isUseful) byGenre.set(genre, [...(byGenre.get(genre) ?? []), film]);
  }
  const kept = [...byGenre].filter(([, those]) => those.length >= minFilms);
  /** @type {Map<string, DataFrameRef>} */
  const byName = new Map();
  for (const [genre, those] of kept) byName.set(genre, await frames.fromColumns(toColumns(those)));
  return byName;
}

/**
 * Gross by budget, both as powers of ten, by linear regression; and what a dollar brought in, with how sure that is. Two of six columns are read, and of the
 * film that most beat its model a row.
 *
 * @param {{ genre: string, films: DataFrameRef }} input
 * @param {Context} ctx
 * @returns {Promise<{ model: Model, residuals: Float64Array }>}
 */
async function fitModel({ genre, films }, { log }) {
  const { budget, gross } = /** @type {Record<string, Float64Array>} */ (
    await films.columns({ columns: ['budget', 'gross'] })
  );
  const points = Array.from(budget, (spent, i) => [Math.log10(spent), Math.log10(gross[i])]);
  const { m: slope, b: intercept } = linearRegression(points);
  const predict = linearRegressionLine({ m: slope, b: intercept });
  const residuals = Float64Array.from(points, ([x, y]) => y - predict(x));
  const best = residuals.indexOf(Math.max(...residuals));
  const paybacks = Array.from(budget, (spent, i) => gross[i] / spent);
  /** @type {{ title: string, released: Date }[]} */
  const rows = [];
  for await (const film of films.rows({ columns: ['title', 'released'], offset: best, limit: 1 }))
    rows.push(/** @type {any} */ (film));
  const [film] = rows;
  log(`${genre}: gross ~ budget^${slope.toFixed(2)}`);
  const model = {
    genre,
    films: points.length,
    slope,
    intercept,
    r2: rSquared(points, predict),
    payback: median(paybacks),
    between: quantile(resampledMedians(paybacks), [0.05, 0.95]),
    surprise: {
      title: film.title,
      released: film.released,
      factor: 10 ** residuals[best],
    },
  };
  return { model, residuals };
}

/**
 * Joins the models, best payback first, and draws them into a file and a report, which are kept beside the result.
 *
 * @param {Model[]} models
 * @param {Context} ctx
 */
async function compareModels(models, { workDir, files, report }) {
  const sorted = models.toSorted((a, b) => b.payback - a.payback);
  const surprises = new Map(sorted.map(({ genre, surprise }) => [genre, surprise]));
  const chart = join(workDir, 'chart.svg');
  await writeFile(chart, drawChart(sorted));
  await files.save('chart', chart);
  report('payback', { title: 'What a dollar of budget brought in' })
    .markdown('Medians of all films of a genre, with **90 %** of 10,000 samples between.')
    .plot({ kind: 'bar', x: sorted.map(({ genre }) => genre), y: sorted.map(({ payback }) => payback) })
    .table(sorted.map(({ genre, films, payback, between }) => ({ genre, films, payback, between })));
  return { models: sorted, surprises };
}

/** The medians of 10,000 samples with replacement (the bootstrap). @param {number[]} numbers */
function resampledMedians(numbers) {
  const next = randomNumbers(1);
  const sample = () => numbers.map(() => numbers[Math.floor(next() * numbers.length)]);
  return Array.from({ length: 10_000 }, () => median(sample()));
}

/** The same numbers below 1 for the same seed (mulberry32): what is cached must not be up to chance. @param {number} seed */
function randomNumbers(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param {Record<string, any>} row @returns {Film} */
function toFilm(row) {
  const released = new Date(`${row['Release Date']} UTC`);
  // The source had years of two digits: its 'Dec 15 2039' is the day of Gone with the Wind.
  if (released.getUTCFullYear() > 2012) released.setUTCFullYear(released.getUTCFullYear() - 100);
  return {
    title: String(row.Title), // 300 and 21 are numbers there
    genre: row['Major Genre'] ?? undefined,
    released,
    budget: row['Production Budget'] ?? Number.NaN,
    gross: row['Worldwide Gross'] ?? Number.NaN,
    rating: row['IMDB Rating'] ?? Number.NaN,
  };
}

/** @param {Film[]} films */
function toColumns(films) {
  return {
    title: films.map(({ title }) => title),
    genre: films.map(({ genre }) => genre),
    released: films.map(({ released }) => released),
    budget: Float64Array.from(films, ({ budget }) => budget),
    gross: Float64Array.from(films, ({ gross }) => gross),
    rating: Float64Array.from(films, ({ rating }) => rating),
  };
}

/** Serves the films over HTTP, in pages, and breaks off the first answer of the third in the middle, as networks do. */
async function serveFilms() {
  const folder = new URL('../', import.meta.resolve('vega-datasets'));
  const films = JSON.parse(readFileSync(new URL('data/movies.json', folder), 'utf8'));
  const pageOf = (/** @type {number} */ page) => JSON.stringify(films.slice(page * 1000, (page + 1) * 1000));
  const { name, version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  let hasBroken = false;
  const server = createServer((request, response) => {
    const page = Number(request.url?.split('=')[1]);
    const body = Buffer.from(pageOf(page));
    response.writeHead(200, { 'content-length': body.length });
    if (page !== 2 || hasBroken) response.end(body);
    else response.write(body.subarray(0, body.length / 2), () => response.destroy());
    if (page === 2) hasBroken = true;
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const url = `http://127.0.0.1:${port}/movies.json`;
  const pages = Math.ceil(films.length / 1000);
  return { source: `${name} ${version}`, url, pages, close: () => server.close() };
}

/** Ends the program where the libraries are missing: the demo's own, they come with the repository and not with the package. */
async function loadStatistics() {
  try {
    for (const library of ['vega-datasets', 'hyparquet', 'hyparquet-writer']) import.meta.resolve(library);
    return await import('simple-statistics');
  } catch {
    console.error(
      'This example needs packages that stowage does not bring: npm install simple-statistics vega-datasets hyparquet hyparquet-writer',
    );
    process.exit(1);
  }
}
