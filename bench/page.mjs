// The page over large stores, in a browser: npm run bench -- --rows page
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as stowage from '../dist/index.js';
import { makeRuns, makeTable, makeTasks } from './page-stores.mjs';
import { BROWSER, PROGRAM, servePage, startBrowser } from './served-page.mjs';
import { spread } from './statistics.mjs';

const SCRIPTS = ['page.js', 'page.css', 'index.html'];
const ROUNDS = 7;
const SCROLL_STEPS = 120;
const ROW = 'main .scrolls.long tbody tr[aria-rowindex]';

/** The large views, each with a store of its own; `make` takes the count that the name tells. */
const VIEWS = [
  { name: 'runs', count: 10_000, of: 'runs', make: makeRuns, address: '#/runs' },
  { name: 'a run', count: 10_000, of: 'tasks', make: makeTasks, address: '#/run/Wide/r1' },
  {
    name: 'a table',
    count: 1_000_000,
    of: 'rows',
    make: makeTable,
    address: '#/artifact/Table/r1/load/0/0/frame',
  },
];

/**
 * How the page shows large stores: the time to the first rows in a new tab, the frames while one scrolls, the largest answer, and the
 * memory of the page and of its server. `undefined` where there is no browser.
 *
 * @param most - smaller stores; default: whole ones
 */
export async function measurePage({ scratch, log, most = Infinity }) {
  if (BROWSER === undefined) {
    log('page: no browser here: STOWAGE_TEST_BROWSER names one');
    return undefined;
  }
  const browser = await startBrowser();
  const rows = [];
  try {
    for (const view of VIEWS) {
      const count = Math.min(view.count, most);
      log(`page: ${view.name} of ${count} ${view.of}`);
      await scratch.withFolder(async (folder) => {
        const store = join(folder, 'store');
        const env = { STOWAGE_INDEXES: join(folder, 'indexes') };
        await view.make(stowage, store, count);
        const made = spawnSync(process.execPath, [PROGRAM, 'index', '--store', store], {
          encoding: 'utf8',
          env: { ...process.env, ...env },
        });
        if (made.status !== 0) throw new Error(made.stderr);
        rows.push({
          name: view.name,
          count,
          of: view.of,
          ...(await measureView(browser, store, { address: view.address, env })),
        });
      });
    }
  } finally {
    await browser.close();
  }
  return { rows, browser: browser.version(), weight: weightOfPage() };
}

async function measureView(browser, store, { address, env }) {
  const server = await servePage(store, [], env);
  try {
    const firstMs = [];
    let last;
    // The first tab only fills the caches.
    for (let round = -1; round < ROUNDS; round += 1) {
      const tab = await openTab(browser, server.url + address);
      if (round >= 0) firstMs.push(tab.firstMs);
      if (round === ROUNDS - 1) last = await look(tab);
      await tab.page.close();
    }
    return { firstMs: spread(firstMs), ...last, serverPeak: peakOf(server.pid) };
  } finally {
    await server.end();
  }
}

/** From asking for a tab until it shows rows. */
async function openTab(browser, url) {
  const started = performance.now();
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const answers = [];
  page.on('requestfinished', (request) => answers.push(request));
  await page.goto(url);
  // It looks at every frame; waiting for a selector would look twice a second.
  await page.waitForFunction((row) => document.querySelector(row) !== null, ROW);
  return { page, answers, firstMs: performance.now() - started };
}

/** Frames while the table is scrolled through from its start to its end, then answers and memory. */
async function look({ page, answers }) {
  await page.waitForLoadState('networkidle');
  const frames = await page.evaluate(scrollThrough, SCROLL_STEPS);
  await page.waitForLoadState('networkidle');
  const sizes = await page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .map(({ decodedBodySize, encodedBodySize }) => [decodedBodySize, encodedBodySize]),
  );
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return {
    frameMs: spread(frames),
    slowFrames: frames.filter((ms) => ms > 50).length / frames.length,
    answers: answers.length,
    largest: Math.max(...sizes.map(([decoded]) => decoded)),
    largestSent: Math.max(...sizes.map(([, encoded]) => encoded)),
    heap: usedSize,
  };
}

/** In the page: the time between frames, of which each scrolls on. */
function scrollThrough(steps) {
  const part = document.querySelector('main .scrolls.long') ?? document.scrollingElement;
  return new Promise((resolve) => {
    const times = [];
    const step = (time) => {
      times.push(time);
      part.scrollTop = (part.scrollHeight * times.length) / steps;
      if (times.length <= steps) requestAnimationFrame(step);
      else resolve(times.slice(1).map((one, index) => one - times[index]));
    };
    requestAnimationFrame(step);
  });
}

/** The most memory that a process had at once, in bytes; `undefined` where the system does not tell. */
function peakOf(pid) {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

/** What a browser fetches before it shows anything, in bytes. */
function weightOfPage() {
  const files = SCRIPTS.map((name) => readFileSync(new URL(`../dist/page/${name}`, import.meta.url)));
  const sum = (sizes) => sizes.reduce((total, one) => total + one, 0);
  return {
    bytes: sum(files.map(({ length }) => length)),
    sent: sum(files.map((file) => gzipSync(file).length)),
  };
}
