// @ts-check
/**
 * What does a film's budget buy? A small pipeline over the 3,201 films of the package `vega-datasets`:
 *
 *     load -> split -> fit (a task for each genre) -> compare
 *
 * Stowage keeps what the steps produce; running them is this script's own business. Start it by `npm run demo`, or
 * `node docs/examples/movies.mjs <store>`, and start it twice: the second run stores almost nothing new.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { linearRegression, linearRegressionLine, median, rSquared } from 'simple-statistics';
import { FlowDataStore } from 'stowage';
import { drawChart, measureStore, printRun } from './movies-report.mjs';

/**
 * @typedef {import('stowage').OpenTaskDataStore} Task
 * @typedef {{ title: string, genre: string | undefined, released: Date, budget: number, gross: number,
 *   rating: number }} Film `NaN` where the source has no number.
 * @typedef {{ title: string[], released: Date[], budget: Float64Array, gross: Float64Array }} Films
 *   Columns of equal length.
 * @typedef {{ genre: string, films: number, slope: number, intercept: number, r2: number, payback: number,
 *   surprise: { title: string, released: Date, factor: number } }} Model
 */

const storage = process.argv[2] ?? './.stowage';
const parameters = { minFilms: 100, minBudget: 100_000 };

// Values up to 1 KiB lie in a task's description; larger ones are content, which tasks and runs share.
const flow = await FlowDataStore.open({ flowName: 'Movies', storage, maxInlineBytes: 1024 });
const sizeBefore = await measureStore(flow.storage);
const run = await flow.createRun({ tags: ['demo'], parameters });
const site = await serveFilms();

try {
  await attempt('load', '0', load);
  const genres = await attempt('split', '0', split);
  await Promise.all([...genres].map((genre) => attempt('fit', genre, fit)));
  await attempt('compare', '0', compare);
  await run.finish();
} catch (error) {
  await run.finish('failed', { error });
  throw error;
} finally {
  site.close();
}
await printRun(flow, run, sizeBefore, storage);
await flow.close();

/**
 * Runs a task, and once more if it fails. Each try is an attempt of its own, and the failed one stays on record.
 *
 * @template T
 * @param {string} stepName
 * @param {string} taskId
 * @param {(task: Task) => Promise<T>} work
 */
async function attempt(stepName, taskId, work) {
  const spec = { runId: run.runId, stepName, taskId };
  return flow.task(spec, work).catch(() => flow.task(spec, work));
}

/** Fetches the films. A connection that breaks off makes `fetch` throw, and so fails the attempt. @param {Task} task */
async function load(task) {
  await task.saveLogs('task', { stdout: `GET ${site.url}\n` });
  const response = await fetch(site.url);
  await task.saveMetadata({ url: site.url, status: response.status });
  const source = new Uint8Array(await response.arrayBuffer());
  const rows = JSON.parse(new TextDecoder().decode(source));
  await task.saveArtifacts({ source, films: rows.map(toFilm) });
  await task.saveLogs('task', { stdout: `${rows.length} films in ${source.length} bytes\n` });
}

/** Columns for each genre that has enough films. @param {Task} task */
async function split(task) {
  /** @type {Map<string, Film[]>} */
  const byGenre = new Map();
  for (const film of await read(task, 'load/0', 'films')) {
    const isKnown = film.genre && film.budget >= parameters.minBudget && film.gross > 0;
    if (isKnown) byGenre.set(film.genre, [...(byGenre.get(film.genre) ?? []), film]);
  }
  const kept = [...byGenre].filter(([, films]) => films.length >= parameters.minFilms);
  const names = new Map(kept.map(([genre]) => [taskIdOf(genre), genre]));
  const columns = kept.map(([genre, films]) => [taskIdOf(genre), toColumns(films)]);
  await task.saveArtifacts({ names, ...Object.fromEntries(columns) });
  return names.keys();
}

/** Gross by budget, both as powers of ten, by linear regression. @param {Task} task */
async function fit(task) {
  /** @type {Films} */
  const films = await read(task, 'split/0', task.taskId);
  const genres = await read(task, 'split/0', 'names');
  const points = Array.from(films.budget, (budget, i) => [Math.log10(budget), Math.log10(films.gross[i])]);
  const { m: slope, b: intercept } = linearRegression(points);
  const predict = linearRegressionLine({ m: slope, b: intercept });
  const residuals = Float64Array.from(points, ([x, y]) => y - predict(x));
  const best = residuals.indexOf(Math.max(...residuals));
  /** @type {Model} */
  const model = {
    genre: genres.get(task.taskId),
    films: points.length,
    slope,
    intercept,
    r2: rSquared(points, predict),
    payback: median(Array.from(films.budget, (budget, i) => films.gross[i] / budget)),
    surprise: {
      title: films.title[best],
      released: films.released[best],
      factor: 10 ** residuals[best],
    },
  };
  // The films are content that `split` saved already: they are named once more here, and stored once.
  await task.saveArtifacts({ model, residuals, films });
  await task.saveMetadata({ films: model.films, r2: model.r2 });
  await task.saveLogs('task', { stdout: `${model.genre}: gross ~ budget^${slope.toFixed(2)}\n` });
}

/** Joins the models, best payback first, and draws them. @param {Task} task */
async function compare(task) {
  /** @type {Model[]} */
  const models = [];
  for (const fitted of await run.tasks({ steps: ['fit'] })) {
    task.recordRead(fitted);
    models.push(await fitted.get('model'));
  }
  models.sort((a, b) => b.payback - a.payback);
  const surprises = new Map(models.map(({ genre, surprise }) => [genre, surprise]));
  const chart = new TextEncoder().encode(drawChart(models));
  await task.saveArtifacts({ models, surprises, chart });
}

/**
 * An artifact of an earlier step of this run, noted as something that `task` rests on.
 *
 * @param {Task} task
 * @param {string} path
 * @param {string} name
 * @returns {Promise<any>}
 */
async function read(task, path, name) {
  const source = await flow.getTaskDataStore(`${run.runId}/${path}`);
  task.recordRead(source);
  return source.get(name);
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

/** @param {Film[]} films @returns {Films} */
function toColumns(films) {
  return {
    title: films.map(({ title }) => title),
    released: films.map(({ released }) => released),
    budget: Float64Array.from(films, ({ budget }) => budget),
    gross: Float64Array.from(films, ({ gross }) => gross),
  };
}

/** A name may hold no slash: `Thriller/Suspense` -> `thriller-suspense`. @param {string} genre */
function taskIdOf(genre) {
  return genre.toLowerCase().replaceAll(/[^a-z]+/g, '-');
}

/** Serves the films over HTTP, and breaks off the first answer in the middle, as networks do. */
async function serveFilms() {
  const body = readFileSync(new URL('../data/movies.json', import.meta.resolve('vega-datasets')));
  let answers = 0;
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': body.length });
    if (answers++ > 0) response.end(body);
    else response.write(body.subarray(0, body.length / 2), () => response.destroy());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/movies.json`, close: () => server.close() };
}
