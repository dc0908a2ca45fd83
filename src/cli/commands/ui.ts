import type { ServedPage } from '../../page/server.ts';
import { CliError, usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withSharedStore } from '../store.ts';

interface UiOptions {
  port?: string;
  open?: boolean;
}

const MAX_PORT = 65_535;

/** `stowage ui` */
export const ui: CommandDeclaration = {
  name: 'ui',
  text: 'open a page of the store: runs, artifacts, lineage, the cache',
  options: [
    { flags: '--port <n>', text: 'the port; default: one that is free' },
    { flags: '--open', text: 'open the page in the browser' },
  ],
  async run(invocation: Invocation, _none: [], { port, open = false }: UiOptions) {
    const chosen = port === undefined ? 0 : parsePort(port);
    await withSharedStore(invocation, async (shared) => {
      const [{ servePage }, { storePage }] = await Promise.all([
        import('../../page/server.ts'),
        import('../page/store-page.ts'),
      ]);
      const page = await servePage(storePage(shared, invocation.call), { port: chosen }).catch(
        (error: unknown) => {
          throw cannotListen(error, chosen);
        },
      );
      try {
        await show(invocation, page, open);
        await ended(invocation.signal);
      } finally {
        await page.close();
      }
    });
  },
};

async function show(invocation: Invocation, { url }: ServedPage, open: boolean): Promise<void> {
  const { output, json } = invocation;
  if (json) await output.json({ url }, 0);
  else await output.line(url);
  invocation.note('the page is at this address, for you alone, until Ctrl-C ends it.');
  if (!open) return;
  const { openInBrowser } = await import('../files/open-in-browser.ts');
  await openInBrowser(url);
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT) return Number(text);
  throw usageError(`--port is a number up to ${MAX_PORT}, not ${JSON.stringify(text)}.`);
}

function cannotListen(error: unknown, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const details = { port };
  if (code === 'EADDRINUSE') {
    const message = `Port ${port} is in use, by another stowage ui perhaps. Give another (--port), or leave it out for one that is free.`;
    return new CliError('PORT_IN_USE', message, { details, cause: error });
  }
  if (code !== 'EACCES') return error;
  return usageError(
    `Port ${port} is not for this user. Give one from 1024 on, or leave --port out.`,
    details,
  );
}
