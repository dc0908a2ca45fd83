import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { type Browser, type BrowserContextOptions, chromium, type Page, type Request } from 'playwright-core';
import { PROGRAM } from '../cli/fixture.ts';

/** An answer leads to the next question once it was drawn. */
const DRAWN_TIMES = 3;
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser of this machine: the one that `STOWAGE_TEST_BROWSER` names, else Debian's Chromium, or Chrome. */
export const BROWSER: string | undefined = [process.env.STOWAGE_TEST_BROWSER ?? '', ...BROWSERS].find(
  existsSync,
);

/** Starts the browser of this machine without a window. */
export function startBrowser(): Promise<Browser> {
  // Root has no sandbox of its own.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: BROWSER as string, args });
}

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
  const child = spawn(process.execPath, [PROGRAM, 'ui', '--store', store, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const ended = once(child, 'close');
  let said = '';
  child.stderr.on('data', (piece: Buffer) => {
    said += piece.toString();
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [url] = /http:\/\/127\.0\.0\.1:\d+\/[\w-]+\//.exec(line) ?? [];
    if (url === undefined) continue;
    return {
      url,
      async [Symbol.asyncDispose]() {
        child.kill('SIGINT');
        await ended;
      },
    };
  }
  throw new Error(`stowage ui has ended: ${said}`);
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

/** What axe finds serious on a page. */
export async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = await page.evaluate('axe.run(document, { resultTypes: ["violations"] })');
  const { violations } = found as { violations: { id: string; impact: string; nodes: { html: string }[] }[] };
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

const { source: AXE } = createRequire(import.meta.url)('axe-core') as { source: string };
