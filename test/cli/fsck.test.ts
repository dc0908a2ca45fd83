import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
let made = 0;

/** A store of two runs, of which the second shares a content with the first. */
async function newStore(): Promise<string> {
  made += 1;
  const path = join(folder, `store-${made}`);
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: path });
  for (const runId of ['r1', 'r2'])
    await flow.task({ runId, stepName: 'fit', taskId: '0' }, (task) =>
      task.saveArtifacts({ model: noise(70_000), [runId]: noise(30_000, made + runId.length) }),
    );
  return path;
}

/** The paths of files of a store. */
function filesOf(store: string, prefix: string): string[] {
  return readdirSync(join(store, prefix), { recursive: true, encoding: 'utf8' })
    .map((name) => join(store, prefix, name))
    .filter((path) => /\.\d+$|json$|DONE$/.test(path));
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  writeFileSync(path, bytes);
}

function contentOf(store: string, bytes: number): string {
  return filesOf(store, 'data').find((path) => path.endsWith(`.${bytes}`)) as string;
}

describe('stowage fsck', () => {
  it('says that a store is sound, and ends with 0', async () => {
    const store = await newStore();
    const ended = await stowage(store, ['fsck']);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/^sound; looked at \d+ objects, read \d+ kB\.\n$/);
    expect(await json(store, ['fsck'])).toMatchObject({
      findings: [],
      summary: { isSound: true, sample: 1 },
    });
    expect((await stowage(store, ['fsck', 'Train/r1'])).code).toBe(0);
  });

  it('names what is damaged and whose it is, and ends with 12', async () => {
    const store = await newStore();
    flip(contentOf(store, 70_048));
    const ended = await stowage(store, ['fsck']);
    expect(ended.code).toBe(12);
    expect(ended.stdout).toContain('lost: damaged: ');
    expect(ended.stdout).toContain(
      'concerns Train/r1/fit/0/0 artifact model, Train/r2/fit/0/0 artifact model',
    );
    expect(ended.stdout).toContain('not sound: 1 lost; looked at');
    const { stdout, code } = await stowage(store, ['fsck', '--json']);
    expect(code).toBe(12);
    expect(JSON.parse(stdout)).toMatchObject({
      findings: [{ layer: 'content', problem: 'damaged', severity: 'lost', concerned: 2 }],
      summary: { isSound: false, findings: { lost: 1 } },
    });
    // What is only looked at has its length.
    expect((await stowage(store, ['fsck', '--quick'])).code).toBe(0);
    expect(
      readdirSync(store, { recursive: true }).filter((name) => String(name).endsWith('.damaged')),
    ).toEqual([]);
  });

  it('tells as many findings as are wanted, and counts all', async () => {
    const store = await newStore();
    const contents = filesOf(store, 'data').filter((path) => /\.\d+$/.test(path));
    for (const path of contents) flip(path);
    const { stdout } = await stowage(store, ['fsck', '--json']);
    const all = JSON.parse(stdout);
    expect(all.findings.length).toBeGreaterThan(1);
    expect(all).not.toHaveProperty('more');
    const cut = JSON.parse((await stowage(store, ['fsck', '--json', '-n', '1'])).stdout);
    expect(cut.findings).toEqual(all.findings.slice(0, 1));
    expect([cut.more, cut.summary.findings]).toEqual([all.findings.length - 1, all.summary.findings]);
    expect((await stowage(store, ['fsck', '-n', '1'])).stdout).toMatch(
      /\.\.\. and \d+ findings? more; --limit all tells them\nnot sound/,
    );
  });

  it('checks one run alone', async () => {
    const store = await newStore();
    rmSync(join(store, 'flows/Train/r2/fit/0/0.metadata.json'));
    expect((await stowage(store, ['fsck', 'Train/r1'])).code).toBe(0);
    expect((await stowage(store, ['fsck', 'Train/r2'])).code).toBe(12);
    expect((await stowage(store, ['fsck', 'Train'])).code).toBe(12);
    expect(await stowage(store, ['fsck', 'Train/r3'])).toMatchObject({ code: 1 });
  });

  it('goes on from a state, and tells by its exit code what was found before', async () => {
    const store = await newStore();
    const state = join(folder, `state-${made}`);
    flip(contentOf(store, 70_048));
    const first = await stowage(store, ['fsck', '--state', state]);
    expect(first.code).toBe(12);
    expect(existsSync(state)).toBe(false);
    // As a check leaves it that was killed behind everything.
    const cursor = `content:${'f'.repeat(64)}`;
    const findings = { lost: 1, damaged: 0, unknown: 0 };
    const kept = { kind: 'stowage fsck', path: '', sample: 1, seed: 0, since: null, cursor, findings };
    writeFileSync(state, JSON.stringify(kept));
    const second = await stowage(store, ['fsck', '--state', state]);
    expect(second).toMatchObject({ code: 12 });
    expect(second.stdout).toMatch(/^sound; /);
    expect(existsSync(state)).toBe(false);
    writeFileSync(state, JSON.stringify({ ...kept, sample: 0.5 }));
    expect(await stowage(store, ['fsck', '--state', state])).toMatchObject({ code: 2 });
    writeFileSync(state, 'mine');
    expect(await stowage(store, ['fsck', '--state', state])).toMatchObject({ code: 2 });
    expect(readFileSync(state, 'utf8')).toBe('mine');
  });

  it.each([
    [['--sample', '5'], 2],
    [['--sample', 'all'], 2],
    [['--sample', '5%', '--quick'], 2],
    [['--seed', '3'], 2],
    [['--since', 'yesterday'], 2],
    [['a/b/c'], 2],
    [['--sample', '50 %', '--seed', '1', '--since', '7d'], 0],
  ])('reads its options: %j', async (args, code) => {
    expect((await stowage(await newStore(), ['fsck', ...(args as string[])])).code).toBe(code);
  });

  it('ends with 10 where there is no store, and leaves none', async () => {
    const nowhere = join(folder, 'nowhere');
    expect(await stowage(nowhere, ['fsck'])).toMatchObject({ code: 10 });
    expect(await stowage(nowhere, ['fsck', 'Train/r1'])).toMatchObject({ code: 10 });
    expect(existsSync(nowhere)).toBe(false);
  });
});
