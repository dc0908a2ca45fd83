// The page over large stores, in a browser: npm run bench -- --rows page
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as stowage from '../dist/index.js';
import { makeEntries, makeRuns, makeTable, makeTasks } from './page-stores.mjs';
import { BROWSER, PROGRAM, servePage, startBrowser } from './served-page.mjs';
import { spread } from './statistics.mjs';

const SCRIPTS = ['page.js', 'page.css', 'index.html'];
const ROUNDS = 7;
const SCROLL_STEPS = 120;
const PATIENCE_MS = 120_000;
const ROW = 'main .scrolls.long tbody tr[aria-rowindex]';

/**
 * The large views, each with a store of its own; `make` takes the count that the name tells. `others` are further views of that store, each
 * with what it shows first, and `whole`, which is there last, where that is something else.
 */
const VIEWS = [
  {
    name: 'runs',
    count: 10_000,
    of: 'runs',
    make: makeRuns,
    address: '#/runs',
    others: [
      {
        name: 'compare two runs',
        address: '#/compare?a=Many%2Frun-000001&b=Many%2Frun-000002',
        shown: 'main section table tbody tr',
        whole: 'main section[aria-label="artifacts that differ"] tbody tr',
      },
      {
        name: 'store',
        address: '#/store',
        shown: 'main section[aria-label=space] tbody tr',
        whole: 'main section[aria-label=savings] tbody tr',
      },
      {
        name: 'store by run',
        address: '#/store?flow=Many&by=run',
        shown: 'main section[aria-label=space] tbody tr',
        whole: 'main section[aria-label=savings] tbody tr',
      },
    ],
  },
  {
    name: 'a run',
    count: 10_000,
    of: 'tasks',
    make: makeTasks,
    address: '#/run/Wide/r1',
    others: [
      { name: 'graph', address: '#/run/Wide/r1?show=graph', shown: 'main svg.graph a' },
      { name: 'timeline', address: '#/run/Wide/r1?show=timeline', shown: 'main svg.bars' },
      { name: 'logs', address: '#/run/Wide/r1?show=logs', shown: 'main .logs pre span' },
      { name: 'a task', address: '#/task/Wide/r1/each/0', shown: 'main table.artifacts tbody tr' },
      {
        name: 'compare the run with itself',
        address: '#/compare?a=Wide%2Fr1&b=Wide%2Fr1',
        shown: 'main section table tbody tr',
        whole: 'main p.same',
      },
    ],
  },
  {
    name: 'a table',
    count: 1_000_000,
    of: 'rows',
    make: makeTable,
    address: '#/artifact/Table/r1/load/0/0/frame',
    others: [
      { name: 'a typed array', address: '#/artifact/Table/r1/load/0/0/numbers', shown: 'main .chart canvas' },
    ],
  },
  {
    name: 'cache',
    count: 10_000,
    of: 'entries',
    make: makeEntries,
    others: [
      {
        name: 'cache',
        address: '#/cache',
        shown: 'main section[aria-label="entries by task"] tbody tr',
        whole: 'main section[aria-label=entries] tbody tr',
      },
      {
        name: 'an entry of the cache',
        from: '#/cache',
        link: 'main section[aria-label=entries] tbody a',
        shown: 'main section[aria-label="parts of the key"] tbody tr',
      },
      {
        name: 'why it was a miss',
        from: '#/cache',
        link: 'main section[aria-label=entries] tbody a',
        shown: 'main section li',
      },
    ],
  },
];

/**
 * How the page shows large stores: the time to the first rows in a new tab, the frames while one scrolls, the largest answer, and the
 * memory of the page and of its server; and the time until other views show what they are about. `undefined` where there is no browser.
 *
 * @param most - smaller stores; default: whole ones
 */
export async function measurePage({ scratch, log, most = Infinity }) {
  if (BROWSER === undefined) {
    log('page: no browser here: STOWAGE_TEST_BROWSER names one');
    return undefined;
  }
  const browser = await startBrowser();
  const [rows, more] = [[], []];
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
        const { address, others } = view;
        const measured = await measureViews(browser, store, { address, others, env });
        const of = { count, of: view.of };
        if (measured.large) rows.push({ name: view.name, ...of, ...measured.large });
        more.push(...measured.others.map((one) => ({ ...one, ...of })));
      });
    }
  } finally {
    await browser.close();
  }
  return { rows, views: more, browser: browser.version(), weight: weightOfPage() };
}

async function measureViews(browser, store, { address, others, env }) {
  const server = await servePage(store, [], env);
  try {
    const large = address && {
      ...(await measureLarge(browser, server.url + address)),
      serverPeak: peakOf(server.pid),
    };
    const measured = [];
    for (const other of others) measured.push(await measureOther(browser, server.url, other));
    return { large, others: measured };
  } finally {
    await server.end();
  }
}

async function measureLarge(browser, url) {
  let last;
  const firstMs = await firstTimes(browser, url, ROW, async (tab, isLast) => {
    if (isLast) last = await look(tab);
  });
  return { firstMs, ...last };
}

async function measureOther(browser, url, { name, address, from, link, shown, whole }) {
  let sizes;
  const wholeMs = [];
  const view = address ?? (await addressBehind(browser, url + from, link));
  const firstMs = await firstTimes(browser, url + view, shown, async ({ page, started }) => {
    if (whole) {
      await waitFor(page, whole);
      wholeMs.push(performance.now() - started);
    }
    await page.waitForLoadState('networkidle');
    sizes = await answerSizes(page);
  });
  return { name, firstMs, ...(whole && { wholeMs: spread(wholeMs) }), ...sizes };
}

/** The address that a link of a view leads to. */
async function addressBehind(browser, url, link) {
  const { page } = await openTab(browser, url, link);
  const address = await page.getAttribute(link, 'href');
  await page.close();
  return address;
}

/** The times until tabs have shown something; each of them is looked at. */
async function firstTimes(browser, url, shown, lookAt) {
  const firstMs = [];
  // The first tab only fills the caches.
  for (let round = -1; round < ROUNDS; round += 1) {
    const tab = await openTab(browser, url, shown);
    if (round >= 0) {
      firstMs.push(tab.firstMs);
      await lookAt(tab, round === ROUNDS - 1);
    }
    await tab.page.close();
  }
  return spread(firstMs);
}

/** From asking for a tab until it shows what a view is about. */
async function openTab(browser, url, shown) {
  const started = performance.now();
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const answers = [];
  page.on('requestfinished', (request) => answers.push(request));
  await page.goto(url);
  await waitFor(page, shown);
  return { page, answers, started, firstMs: performance.now() - started };
}

/** It looks at every frame; waiting for a selector would look twice a second. */
async function waitFor(page, selector) {
  const isThere = (one) => document.querySelector(one) !== null;
  await page.waitForFunction(isThere, selector, { timeout: PATIENCE_MS });
}

/** Frames while the table is scrolled through from its start to its end, then answers and memory. */
async function look({ page, answers }) {
  await page.waitForLoadState('networkidle');
  const frames = await page.evaluate(scrollThrough, SCROLL_STEPS);
  await page.waitForLoadState('networkidle');
  const sizes = await answerSizes(page);
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return {
    frameMs: spread(frames),
    slowFrames: frames.filter((ms) => ms > 50).length / frames.length,
    answers: answers.length,
    ...sizes,
    heap: usedSize,
  };
}

/** The largest answer that a page has got, as it is and as it was sent, in bytes. */
async function answerSizes(page) {
  const sizes = await page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .map(({ decodedBodySize, encodedBodySize }) => [decodedBodySize, encodedBodySize]),
  );
  return {
    largest: Math.max(...sizes.map(([decoded]) => decoded)),
    largestSent: Math.max(...sizes.map(([, encoded]) => encoded)),
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
