import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { scratchFolder } from '../flow/fixtures.ts';
import { ROOT, runNode } from './built.ts';

/** A project as `npm install --omit=optional stowage` leaves it, with the first scripts of a newcomer. */
function newProject(): string {
  const project = scratchFolder();
  const installed = (name: string): string => join(project, 'node_modules', name);
  mkdirSync(installed('stowage'), { recursive: true });
  for (const name of ['dist', 'package.json'])
    cpSync(join(ROOT, name), join(installed('stowage'), name), { recursive: true });
  const manifest = readFileSync(join(ROOT, 'package.json'), 'utf8');
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(installed(name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), installed(name), 'junction');
  }
  for (const name of ['first-steps.mjs', 'databases.mjs'])
    cpSync(join(ROOT, '.ci/newcomer', name), join(project, name));
  return project;
}

it('without SQLite, what needs it asks for it by name, and all else works', async () => {
  const project = newProject();
  const store = join(project, 'store');
  const run = (script: string, ...args: string[]): ReturnType<typeof runNode> =>
    runNode([join(project, script), ...args]);
  expect(await run('first-steps.mjs', store)).toMatchObject({ code: 0, stderr: '' });
  expect(await run('databases.mjs', store, 'missing')).toEqual({ code: 0, stdout: '', stderr: '' });
});
