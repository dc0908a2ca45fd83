// Pictures of every view of the page, light and dark, for docs/page.md: npm run pictures. Needs Debian's Chromium, or the browser that
// STOWAGE_TEST_BROWSER names. The store is the demo's, made by three runs: the second finds every result, the third has another parameter; and a
// run whose tasks read from each other.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROGRAM, servePage, startBrowser } from '../bench/served-page.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PICTURES = join(ROOT, 'docs/pictures');
// Within the checkout, so that the demo finds the package.
const folder = mkdtempSync(join(ROOT, '.pictures-'));
const store = join(folder, 'store');
Error.stackTraceLimit = 0; // of this machine
process.env.STOWAGE_INDEXES = join(folder, 'indexes');

function run(program, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
const ask = (...args) => JSON.parse(run(PROGRAM, ...args, '--store', store, '--json'));

/** A run of a fan-out and a join, of which one task failed once, and one for good. */
async function train(runId, rates) {
  const { FlowDataStore } = await import('../dist/index.js');
  const flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  const code = join(folder, 'code');
  mkdirSync(code, { recursive: true });
  cpSync(join(folder, 'movies.mjs'), join(code, 'movies.mjs'));
  const run = await flow.createRun({ runId, tags: ['weekly'], parameters: { rates }, code });
  const task = (stepName, taskId, work) => flow.task({ runId, stepName, taskId }, work);
  const pause = () => new Promise((done) => setTimeout(done, 150));
  await task('load', '0', async (one) => {
    await pause();
    await one.saveArtifacts({
      rows: Float64Array.from({ length: 5000 }, (_, index) => Math.sin(index / 200)),
    });
  });
  const load = await flow.getTaskDataStore(`${runId}/load/0`);
  const fits = rates.map(async (rate, index) => {
    const once = () =>
      task('fit', String(index), async (one) => {
        await one.passdownPartial(load, ['rows']);
        await pause();
        if (rate === 1 || (rate === 0.02 && one.attempt === 0))
          throw new RangeError(`the loss is no number at the rate ${rate}`);
        await one.saveLogs('task', { stdout: `epoch 0: loss ${rate}\nepoch 1: loss ${rate / 2}\n` });
        const films = ['Alien', 'Brazil', 'Casablanca', 'Dune', 'Eraserhead', 'Fargo', 'Gilda', 'Heat'];
        await one.saveArtifacts({
          model: { rate, weights: new Float64Array(64).fill(rate) },
          scores: films.slice(0, index === 0 ? 7 : 8).map((film, id) => ({
            film,
            score: Math.round(100 * Math.cos(id * (id % 3 === 0 ? rate : 0.1))) / 100,
            stars: id % 5,
          })),
          loss: rate / 2,
          log: films.map((film, id) => `${film}: epoch ${id % 4 === 0 ? 10 * rate : id}\n`).join(''),
        });
        await one.saveMetadata({ auc: 0.9 - rate });
      });
    await once().catch(() => rate !== 1 && once());
  });
  await Promise.allSettled(fits);
  await task('best', '0', async (one) => {
    await one.mergeArtifacts(await flow.getTaskDataStores({ runId, steps: ['fit'] }), {
      include: ['rows'],
    });
    await pause();
  });
  await run.finish(rates.includes(1) ? 'failed' : 'done');
  await flow.close();
}

/** What is looked at, by the name of the picture: an address, and what is done before the picture is taken. */
function views(runs) {
  const [, second, first] = runs.map((one) => `Movies/${one.run}`);
  const { steps } = ask('show', first);
  const taskOf = (name) => `${first}/${name}/${steps.find(({ step }) => step === name).tasks[0].task}`;
  const [{ key }] = ask('cache', 'ls').entries;
  return {
    runs: ['#/runs'],
    run: [`#/run/${second}`],
    graph: ['#/run/Train/r3?show=graph'],
    timeline: ['#/run/Train/r3?show=timeline'],
    logs: ['#/run/Train/r3?show=logs'],
    code: ['#/run/Train/r3?show=code'],
    failure: ['#/task/Train/r3/fit/3'],
    task: [`#/task/${taskOf('compare')}`],
    table: [`#/artifact/${taskOf('load')}/0/output`],
    artifact: [`#/artifact/${taskOf('fit')}/0/output`],
    versions: ['#/artifact/Train/r3/fit/0/0/loss', seeVersions],
    compare: ['#/compare?a=Train%2Fr3%2Ffit%2F0&b=Train%2Fr3%2Ffit%2F1'],
    'runs-compared': ['#/compare?a=Train%2Fr2&b=Train%2Fr3'],
    cache: ['#/cache'],
    entry: [`#/cache/${key}`],
    store: ['#/store', checkRecords],
    retention: ['#/store', planRetention],
  };
}

/** Waits for what it finds as well. */
async function checkRecords(page) {
  await page.click('text=Check records');
  await page.waitForSelector('text=checking', { state: 'hidden' });
}

async function planRetention(page) {
  await page.click('text=Plan it');
  await page.waitForSelector('text=reading all records', { state: 'hidden' });
  await page.locator('text=What retention would free').evaluate((heading) => heading.scrollIntoView());
}

async function seeVersions(page) {
  await page.locator('text=Versions of').evaluate((heading) => heading.scrollIntoView());
}

async function takePictures(browser, url, shown) {
  mkdirSync(PICTURES, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme });
    for (const [name, [address, act]] of Object.entries(shown)) {
      await page.goto('about:blank'); // another view of a page that is open loads nothing that could be waited for
      await page.goto(url + address);
      await page.waitForSelector('main h1');
      await page.waitForLoadState('networkidle');
      await act?.(page);
      await page.waitForLoadState('networkidle');
      await page.screenshot({ path: join(PICTURES, `${name}-${colorScheme}.png`) });
    }
    await page.close();
  }
}

try {
  cpSync(join(ROOT, 'docs/examples'), folder, { recursive: true });
  const demo = join(folder, 'movies.mjs');
  run(demo, store);
  run(demo, store);
  writeFileSync(demo, readFileSync(demo, 'utf8').replace('minFilms: 100', 'minFilms: 150'));
  run(demo, store);
  for (const [place, rate] of [0.4, 0.3, 0.2].entries()) await train(`r${place}`, [rate, 0.05, 0.02]);
  await train('r3', [0.1, 0.05, 0.02, 1]);
  const policy = join(folder, 'policy.json');
  writeFileSync(policy, JSON.stringify({ keepLast: 2 }));
  ask('policy', 'set', policy);
  ask('index');
  const server = await servePage(store);
  const browser = await startBrowser();
  try {
    await takePictures(browser, server.url, views(ask('runs', 'Movies').runs));
  } finally {
    await browser.close();
    await server.end();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
