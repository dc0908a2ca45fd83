import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copyStore, FlowDataStore } from '../../src/index.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
let made = 0;

/** A store with one run, and a copy of it. */
async function storeAndCopy(): Promise<{ store: string; copy: string }> {
  made += 1;
  const [store, copy] = [join(folder, `store-${made}`), join(folder, `copy-${made}`)];
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) =>
    task.saveArtifacts({ model: noise(70_000), other: noise(30_000, 2) }),
  );
  await copyStore({ from: store, to: copy });
  return { store, copy };
}

/** Flips a bit of the content whose envelope has so many bytes. */
function damage(store: string, bytes: number): void {
  const names = readdirSync(join(store, 'data'), { recursive: true, encoding: 'utf8' });
  const path = join(store, 'data', names.find((name) => name.endsWith(`.${bytes}`)) as string);
  const body = readFileSync(path);
  body[bytes - 1] = (body.at(-1) as number) ^ 1;
  writeFileSync(path, body);
}

describe('stowage fsck --repair', () => {
  it('tells what would be mended, and does it with --yes', async () => {
    const { store, copy } = await storeAndCopy();
    damage(store, 70_048);
    rmSync(join(store, 'flows/Train/r1/fit/0/0.DONE'));

    const dry = await stowage(store, ['fsck', '--repair', '--from', copy]);
    expect(dry.code).toBe(12);
    expect(dry.stdout).toContain('would be written anew: flows/Train/r1/fit/0/0.DONE from file://');
    expect(dry.stderr).toContain('nothing was changed. To do it: --yes');
    expect((await stowage(store, ['get', 'Train/r1/fit/0', 'model'])).code).not.toBe(0);

    const done = await stowage(store, ['fsck', '--repair', '--from', copy, '--yes']);
    expect(done.code).toBe(0);
    expect(done.stdout).toContain('restored: data/');
    expect(done.stdout).toContain('2 objects mended.');
    expect(await stowage(store, ['fsck'])).toMatchObject({ code: 0 });
    expect(await stowage(store, ['fsck', '--repair'])).toMatchObject({
      code: 0,
      stdout: 'nothing to mend.\n',
    });
  });

  it('says what is lost without a copy, by artifact, and ends with 12', async () => {
    const { store } = await storeAndCopy();
    damage(store, 70_048);
    const ended = await stowage(store, ['fsck', '--repair', '--yes']);
    expect(ended.code).toBe(12);
    expect(ended.stdout).toContain('lost: Train/r1/fit/0/0 artifact model: ');
    const { stdout } = await stowage(store, ['fsck', '--repair', '--yes', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      steps: [{ outcome: 'lost', flow: 'Train', run: 'r1', attempt: 0, name: 'model', kind: 'artifact' }],
      summary: { mended: 0, lost: 1, left: 0, dryRun: false },
    });
  });

  it('mends one run alone', async () => {
    const { store, copy } = await storeAndCopy();
    damage(store, 30_048);
    const mended = await json(store, ['fsck', 'Train/r1', '--repair', '--from', copy, '--yes']);
    expect(mended).toMatchObject({ steps: [{ how: 'restored' }], summary: { mended: 1, lost: 0 } });
    expect(await stowage(store, ['fsck', 'Train/r2', '--repair'])).toMatchObject({ code: 1 });
  });

  it.each([
    [['--yes'], 2],
    [['--from', 'there'], 2],
    [['--repair', '--state', 'file'], 2],
    [['--repair', '--from', join(folder, 'nowhere')], 10],
  ])('reads its options: %j', async (args, code) => {
    const { store } = await storeAndCopy();
    expect((await stowage(store, ['fsck', ...(args as string[])])).code).toBe(code);
  });
});
