import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll } from 'vitest';
import type { Printed } from './printed-output.ts';

const root = join(import.meta.dirname, '../..');
const recorder = pathToFileURL(join(import.meta.dirname, 'record-output.mjs')).href;

/** How a program ended. */
export interface Ended {
  /** What to tell of it if it failed; `ends well` if it did not. */
  ending: string;
  printed: Printed[];
}

/**
 * The folder of a package that depends on this one, and on all that this one's tests have: where a reader would try examples.
 * It is removed after the tests of the file.
 */
export function readerFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stowage-docs-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'node_modules'));
  const link = (target: string, name: string) =>
    symlinkSync(target, join(folder, 'node_modules', name), 'junction');
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) link(join(root, 'node_modules', name), name);
  }
  link(root, 'stowage');
  return folder;
}

/** Runs a program to its end, and notes what each of its `console.log` prints. */
export function runProgram(file: string, cwd: string, args: readonly string[] = []): Promise<Ended> {
  const record = `${cwd}.printed`;
  rmSync(record, { force: true });
  const env = {
    ...process.env,
    STOWAGE_TEST_RECORD: record,
    STOWAGE_TEST_RECORDED: pathToFileURL(file).href,
  };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', recorder, file, ...args],
      { cwd, env, encoding: 'utf8' },
      (error, stdout, stderr) => {
        const lines = readFileSync(record, 'utf8').trimEnd().split('\n').slice(1);
        resolve({
          ending: error ? `${error.message}\n${stderr}${stdout}` : 'ends well',
          printed: lines.map((line) => JSON.parse(line) as Printed),
        });
      },
    );
  });
}
