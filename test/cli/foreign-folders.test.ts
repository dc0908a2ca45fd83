import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

/** What other programs leave in the folders of a store. */
const FOREIGN = [
  'runs/@eaDir/SYNO@.fileindexdb',
  'runs/detect/exp1/weights/best.pt',
  'runs/detect/exp1/results.csv',
  'runs/lost+found/#123',
  'runs/.DS_Store',
  'runs/Train/@eaDir/SYNO@.fileindexdb',
  'flows/Train/r1/@eaDir/SYNO@.fileindexdb',
  'flows/Train/r1/fits/plot.png',
  'flows/Train/r1/fit/@eaDir/0.txt',
];

const store = join(scratchFolder(), 'store');
let flow: FlowDataStore;

beforeAll(async () => {
  flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async () => {});
  for (const name of FOREIGN) {
    const file = join(store, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'x');
  }
});
afterAll(() => flow.close());

const said = async (...args: string[]): Promise<string> => (await stowage(store, args)).stderr;

describe('folders of other programs', () => {
  it('are no flows, runs, steps or tasks, wherever these are listed', async () => {
    expect((await json(store, ['ls'])).entries).toEqual([{ flow: 'Train', runs: 1 }]);
    expect((await json(store, ['ls', '--long'])).entries).toMatchObject([{ flow: 'Train', runs: 1 }]);
    expect((await json(store, ['ls', 'Train'])).entries).toMatchObject([{ run: 'r1' }]);
    expect((await json(store, ['ls', 'Train/r1'])).entries).toMatchObject([{ step: 'fit', tasks: 1 }]);
    expect((await json(store, ['ls', 'Train/r1/fit'])).entries).toMatchObject([{ task: '0' }]);
    expect((await json(store, ['runs'])).total).toBe(1);
    expect(await flow.run('r1').steps()).toEqual(['fit']);
  });

  it('do not exist for who asks for them', async () => {
    expect(await said('ls', 'detect')).toBe(
      'stowage: The store has no flow detect. See what it has with: stowage ls\n',
    );
    expect(await said('runs', '@eaDir')).toContain('has no flow @eaDir');
    expect(await said('show', 'Train/@eaDir')).toContain('Flow Train has no run @eaDir.');
    expect(await said('ls', 'Train/r1/@eaDir')).toContain('Run Train/r1 has no step @eaDir.');
    expect(await said('get', 'Train/r1/fit/@eaDir', 'x')).toContain('Step Train/r1/fit has no task @eaDir.');
  });

  it('are suggested to nobody', async () => {
    expect(await said('ls', 'detec')).not.toContain('Did you mean');
    expect(await said('show', 'Train/r1/fitz')).toContain('Did you mean fit?');
    const { error } = JSON.parse(await said('show', 'Train/r1/nothing', '--json'));
    expect(error.details).toMatchObject({ suggestions: [], existing: ['fit'] });
    expect(await said('get', 'Train/r1', 'x')).toBe('stowage: Train/r1 is a run; its step is fit.\n');
    expect(await said('get', 'Train/r1/fit')).toContain('its task is 0;');
  });
});
