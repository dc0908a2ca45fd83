import { spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CliError } from '../cli-error.ts';

/**
 * Opens an HTML file in the user's browser: by the program that `BROWSER` names, else by that of the system.
 *
 * @throws CliError `OUTPUT_FAILED` where there is none
 */
export async function openInBrowser(uri: string): Promise<void> {
  const [program, ...args] = opener();
  const child = spawn(program, [...args, uri], { stdio: 'ignore', detached: true });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      const message = `${uri} cannot be opened by ${program}: ${cause.message}. Open it yourself, or name your browser in the environment (BROWSER).`;
      reject(new CliError('OUTPUT_FAILED', message, { details: { uri, program }, cause }));
    });
  });
  child.unref();
}

/** Puts a file where a browser reads it, which may be after this program has ended: the system cleans its folder for temporary files. */
export async function toTemporaryFile(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'stowage-')), name);
  await writeFile(path, bytes, { flag: 'wx', mode: 0o600 });
  return pathToFileURL(path).href;
}

/** A page that leads to an address, which no other user reads in the arguments of a program then. */
export function leadingTo(address: string): Uint8Array {
  const escaped = address.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
  return Buffer.from(
    `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${escaped}"><title>stowage</title><a href="${escaped}">the page</a>\n`,
  );
}

function opener(): [program: string, ...args: string[]] {
  const { BROWSER } = process.env;
  if (BROWSER) return [BROWSER];
  if (process.platform === 'darwin') return ['open'];
  // `start` would give the address to a shell.
  if (process.platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  return ['xdg-open'];
}
