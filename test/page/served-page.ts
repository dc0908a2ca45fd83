import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page, Request } from 'playwright-core';
import { BROWSER, servePage, startBrowser } from '../../bench/served-page.mjs';

export { BROWSER, startBrowser };

/** An answer leads to the next question once it was drawn. */
const DRAWN_TIMES = 3;
/** The page of a store, served by `stowage ui` in a process of its own. */
export interface ServedStore extends AsyncDisposable {
  /** It ends with a slash. */
  url: string;
}

/** Serves the page of a store until it is disposed of. `env` is beside what this process has. */
export async function serveStore(
  store: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<ServedStore> {
  const { url, end } = await servePage(store, args, env);
  return { url, [Symbol.asyncDispose]: end };
}

/** A store in a folder of its own, its page, which is served with indexes of its own, and a browser to look at it. */
export interface ShownStore extends AsyncDisposable {
  folder: string;
  /** Its address. */
  store: string;
  /** Of the page; it ends with a slash. */
  url: string;
  browser: Browser;
  /** Shows an address of the page, what stands behind its `url`, and waits until it is whole. */
  show: Show;
}

/** Makes a store in a new folder, serves its page and starts a browser, until that is disposed of. `make` resolves to the address of the store. */
export async function showStore(make: (folder: string) => Promise<string>): Promise<ShownStore> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-page-'));
  let served: ServedStore | undefined;
  let browser: Browser | undefined;
  const end = async (): Promise<void> => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const store = await make(folder);
    served = await serveStore(store, [], { STOWAGE_INDEXES: join(folder, 'indexes') });
    browser = await startBrowser();
    const { url } = served;
    const show: Show = async (page, address) => {
      await page.goto(url + address);
      await settled(page);
    };
    return { folder, store, url, browser, show, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** What went wrong on a page: errors of scripts, what its policy blocked, requests that went elsewhere. */
export function watchPage(page: Page, url: string): string[] {
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // An answer that is an error is told on the page; browsers remark on it as well.
    if (message.type() === 'error' && !/status of [45]\d\d/.test(message.text()))
      faults.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:'))
      faults.push(`request: ${request.url()}`);
  });
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return faults;
}

/** What a page has asked for and not got yet. Logs that are followed never end. */
const underWay = new WeakMap<Page, Set<Request>>();

/** Opens a page that {@link settled} can wait for. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await browser.newPage(options);
  const asked = new Set<Request>();
  underWay.set(page, asked);
  page.on('request', (request) => {
    if (!request.url().includes('/follow/')) asked.add(request);
  });
  page.on('requestfinished', (request) => asked.delete(request));
  page.on('requestfailed', (request) => asked.delete(request));
  return page;
}

/** The answers that a page gets from now on, by what they take before they are compressed. */
export function watchAnswers(page: Page): { over(bytes: number): Promise<string[]> } {
  const answers: Promise<{ url: string; bytes: number }>[] = [];
  page.on('response', (response) => {
    // Of what the page went away from meanwhile there is no body.
    const body = response.body().catch(() => Buffer.alloc(0));
    answers.push(body.then(({ length: bytes }) => ({ url: response.url(), bytes })));
  });
  return {
    over: async (most) =>
      (await Promise.all(answers)).flatMap(({ url, bytes }) => (bytes > most ? [`${url}: ${bytes}`] : [])),
  };
}

/** Waits until the view has its title, and nothing on it was being asked for while it was drawn several times. */
export async function settled(page: Page): Promise<void> {
  const asked = underWay.get(page);
  if (!asked) throw new Error('openPage opens the pages that are waited for');
  await page.waitForSelector('main h1');
  for (let quiet = 0; quiet < DRAWN_TIMES; quiet++) {
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    if (asked.size > 0) quiet = -1;
  }
}

/** Shows an address of a page, and waits until it is whole. */
export type Show = (page: Page, address: string) => Promise<void>;

/** Follows links from some addresses: so many pages of each view, the last ones that are linked first. */
export async function crawl(
  browser: Browser,
  { from, ofEach, show }: { from: readonly string[]; ofEach: number; show: Show },
): Promise<string[]> {
  const page = await openPage(browser);
  const [seen, waiting] = [new Set<string>(), [...from]];
  const counts = new Map<string, number>();
  for (let hash = waiting.shift(); hash !== undefined; hash = waiting.shift()) {
    const view = viewOf(hash);
    const count = counts.get(view) ?? 0;
    if (seen.has(hash) || count >= ofEach) continue;
    seen.add(hash);
    counts.set(view, count + 1);
    await show(page, hash);
    const links = await page.$$eval('a[href^="#/"]', (all) =>
      all.map((link) => link.getAttribute('href') as string),
    );
    waiting.push(...links.reverse());
  }
  await page.close();
  return [...seen];
}

/** `run` of `#/run/Train/r1` */
export function viewOf(hash: string): string {
  return /^#\/(\w*)/.exec(hash)?.[1] ?? '';
}

/** What went wrong on each of some addresses, and what a look at it found. `url` is where all requests go. Views are looked at in so many tabs at once. */
export async function faultsOfEach(
  browser: Browser,
  {
    addresses,
    url,
    show,
    options,
    tabs = 1,
  }: {
    addresses: readonly string[];
    url: string;
    show: Show;
    options: BrowserContextOptions;
    tabs?: number;
  },
  look: (page: Page, address: string) => Promise<string[]>,
): Promise<string[]> {
  const waiting = [...addresses];
  const lookAtSome = async (): Promise<string[]> => {
    const page = await openPage(browser, options);
    const faults = watchPage(page, url);
    for (let address = waiting.shift(); address !== undefined; address = waiting.shift()) {
      await show(page, address);
      faults.push(...(await look(page, address)).map((fault) => `${address}: ${fault}`));
    }
    await page.close();
    return faults;
  };
  return (await Promise.all(Array.from({ length: tabs }, lookAtSome))).flat();
}

/** What axe finds serious on a page, or in a part of it. */
export async function seriousFaults(page: Page, part = 'html'): Promise<string[]> {
  await page.evaluate(AXE);
  const found = await page.evaluate(`axe.run(${JSON.stringify(part)}, { resultTypes: ["violations"] })`);
  const { violations } = found as { violations: { id: string; impact: string; nodes: { html: string }[] }[] };
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

const { source: AXE } = createRequire(import.meta.url)('axe-core') as { source: string };
