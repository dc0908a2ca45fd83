import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The built program, as users start it. */
export const PROGRAM = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser of this machine: the one that `STOWAGE_TEST_BROWSER` names, else Debian's Chromium, or Chrome. */
export const BROWSER = [process.env.STOWAGE_TEST_BROWSER ?? '', ...BROWSERS].find((path) => existsSync(path));

/** Starts the browser of this machine without a window. */
export async function startBrowser() {
  const { chromium } = await import('playwright-core');
  // Root has no sandbox of its own.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: BROWSER ?? 'chromium', args });
}

/**
 * Serves the page of a store by `stowage ui` in a process of its own, until `end` is called. The url ends with a slash.
 *
 * @param {string} store
 * @param {readonly string[]} [args] further options of the command
 * @param {Readonly<Record<string, string>>} [env] beside what this process has
 */
export async function servePage(store, args = [], env = {}) {
  const child = spawn(process.execPath, [PROGRAM, 'ui', '--store', store, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const ended = once(child, 'close');
  let said = '';
  child.stderr.on('data', (piece) => {
    said += piece;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [url] = /http:\/\/127\.0\.0\.1:\d+\/[\w-]+\//.exec(line) ?? [];
    if (url === undefined) continue;
    const end = async () => {
      child.kill('SIGINT');
      await ended;
    };
    return { url, pid: child.pid, end };
  }
  throw new Error(`stowage ui has ended: ${said}`);
}
