import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ROOT, runNode } from './built.ts';

const folder = mkdtempSync(join(tmpdir(), 'stowage-examples-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The examples where the package is installed, and nothing that it does not bring. */
cpSync(join(ROOT, 'docs/examples'), folder, { recursive: true });
mkdirSync(join(folder, 'node_modules'));
symlinkSync(ROOT, join(folder, 'node_modules/stowage'), 'junction');
/** `judge.process.test.ts` runs that one. */
const examples = readdirSync(folder).filter((name) => name.endsWith('.mjs') && name !== 'judge.mjs');

it.each(examples)('%s runs with the package alone, or names the packages that it needs', async (name) => {
  const { code, stderr } = await runNode([join(folder, name), join(folder, 'store')]);
  if (code === 0) return;
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^This example needs .*: npm install [\w -]+\n$/),
  });
});
