import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
const file = join(folder, 'keep.json');
beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.createRun({ runId: 'r1' });
});

describe('stowage policy', () => {
  it('saves a file with the store, shows it, and takes it away', async () => {
    expect(await stowage(store, ['policy', 'show'])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'stowage: the store has no policy. To save one: stowage policy set <file>\n',
    });
    expect(await json(store, ['policy', 'show'])).toBe(null);
    const policy = { keepWithin: '30d', keepTags: ['release'], flows: { Eval: {} } };
    writeFileSync(file, JSON.stringify(policy));
    expect(await stowage(store, ['policy', 'set', file])).toMatchObject({
      code: 0,
      stdout: 'saved\n',
      stderr: 'stowage: nothing was deleted. What goes by it: stowage gc\n',
    });
    const shown = await stowage(store, ['policy', 'show']);
    expect(shown.stderr).toMatch(/^stowage: saved .* by process \d+ on .*\.\n$/);
    // What is shown can be edited, and set again.
    writeFileSync(file, shown.stdout);
    expect(await json(store, ['policy', 'set', file])).toEqual(policy);
    expect(await stowage(store, ['policy', 'rm'])).toMatchObject({ code: 0, stdout: 'removed\n' });
    expect(await json(store, ['policy', 'rm'])).toEqual({ removed: false });
  });

  it.each([
    [
      '{ "keepWithinn": "30d" }',
      2,
      'keep.json is no policy: A policy has no option keepWithinn. Did you mean keepWithin?',
    ],
    ['{ "keepWithin": "30 days" }', 2, 'keep.json is no policy: keepWithin is an age'],
    ['{ "maxBytes": "much" }', 2, 'maxBytes is a size'],
    ['7', 2, 'must be an object of rules'],
    ['{', 1, 'keep.json cannot be read: it is not JSON'],
  ])('refuses %s, and saves nothing', async (text, code, message) => {
    writeFileSync(file, text);
    const { stderr, ...ended } = await stowage(store, ['policy', 'set', file]);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(stderr).toContain(message);
    expect(await json(store, ['policy', 'show'])).toBe(null);
  });
});
