import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/run-cli.ts';
import { FlowDataStore } from '../../src/index.ts';
import { json, makeStore, RUN, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
let from: string;
let copies = 0;
const newTarget = (): string => join(folder, `target-${copies++}`);
const copy = (...args: string[]) => stowage(undefined, ['copy', ...args]);

beforeAll(async () => {
  from = await makeStore(folder);
});

describe('stowage copy', () => {
  it('copies a store, tells what it did, and finds nothing to do when it is called again', async () => {
    const to = newTarget();
    const first = await copy(from, to);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const [header, row, content] = first.stdout.split('\n');
    expect(header).toMatch(/^ +COPIED +PRESENT +REFUSED +FAILED +OPEN$/);
    expect(row).toMatch(/^attempts +9 +0 +0 +0 +1$/);
    expect(content).toMatch(
      /^content 360 kB, of which \S+ k?B was there already or equal to other content; read 3\d\d kB, wrote 3\d\d kB\.$/,
    );
    const again = await copy(from, to);
    expect(again.stdout).toMatch(/^attempts +0 +9 +0 +0 +1$/m);
    expect(await json(to, ['show', 'Train/2026-01-31T08:00:00Z/load/0'])).toMatchObject({
      run: '2026-01-31T08:00:00Z',
    });
    const [here, there] = await Promise.all(
      [from, to].map((store) => stowage(store, ['log', RUN, '--stream', 'stderr'])),
    );
    expect(there?.stdout).toBe(here?.stdout);
  });

  it('says in lines that fit how much content there was', async () => {
    process.env.COLUMNS = '40';
    const argv = ['copy', from, newTarget(), '--no-color'];
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    try {
      expect(await runCli(argv, { stdout, stderr }, new AbortController().signal)).toBe(0);
    } finally {
      delete process.env.COLUMNS;
    }
    const lines = String(stdout.read()).trimEnd().split('\n');
    const content = lines.slice(lines.findIndex((line) => line.startsWith('content ')));
    expect(content.join(' ')).toMatch(/^content 360 kB, of which .* or equal to other content; .*\.$/);
    expect(content.length).toBeGreaterThan(1);
    for (const line of content) {
      expect(line.length).toBeLessThanOrEqual(40);
      expect(line).not.toMatch(/\d$|^k?B/);
    }
  });

  it('tells, as every command does, of a "~" that no shell made the home folder of', async () => {
    for (const { code, stderr } of [await copy('~/x', newTarget()), await stowage('~/x', ['runs'])]) {
      expect(code).toBe(2);
      expect(stderr).toMatch(/^stowage: "~\/x" is in a folder called "~": only a shell/);
    }
  });

  it('copies a flow or a run', async () => {
    const to = newTarget();
    expect((await copy(from, to, 'Other/r2')).stdout).toMatch(/^attempts +1 +0 /m);
    expect((await json(to, ['runs'])).runs.map(({ run }: { run: string }) => run)).toEqual(['r2']);
    expect((await copy(from, to, 'Other')).stdout).toMatch(/^attempts +2 +1 /m);
    expect((await copy(from, to, 'Other/r2/only')).code).toBe(2);
  });

  it('tells what the source does not have, what was meant, and how to see what it has', async () => {
    const to = newTarget();
    const flow = await copy(from, to, 'Otehr');
    expect(flow).toMatchObject({ code: 1, stdout: '' });
    expect(flow.stderr).toContain('has no flow Otehr. Did you mean Other?');
    const run = await copy(from, to, 'Other/nothing-like-it');
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('has no run nothing-like-it');
    expect(run.stderr).toContain(`stowage runs Other --store ${from}`);
    const store = await copy(join(from, 'nowhere'), to);
    expect(store).toMatchObject({ code: 10, stdout: '' });
    expect(store.stderr).not.toContain('--store');
    expect((await stowage(to, ['runs'])).code).toBe(10);
  });

  it('--dry-run tells what would be copied, and makes nothing', async () => {
    const to = newTarget();
    const { code, stdout } = await copy(from, to, '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +TO COPY /);
    expect(stdout).toContain('nothing was written.');
    expect((await stowage(to, ['runs'])).code).toBe(10);
  });

  it('ends with 3 where something was refused, and says what; the rest is copied', async () => {
    const to = newTarget();
    await copy(from, to, 'Other/r1');
    rmSync(join(to, 'flows/Other/r1'), { recursive: true });
    await using flow = await FlowDataStore.open({ flowName: 'Other', storage: to });
    await flow.task({ runId: 'r1', stepName: 'only', taskId: '0' }, (task) =>
      task.saveArtifacts({ x: 'other' }),
    );
    const { code, stdout, stderr } = await copy(from, to, 'Other');
    expect(code).toBe(3);
    expect(stdout).toMatch(/^attempts +2 +0 +1 +0 +0$/m);
    expect(stderr).toMatch(
      /^stowage: Attempt Other\/r1\/only\/0\/0 has another result there, and the target keeps what it holds\. .*\n$/,
    );
    const document = await copy(from, to, 'Other', '--json');
    expect(document.code).toBe(3);
    expect(JSON.parse(document.stdout)).toMatchObject({
      dryRun: false,
      runs: 3,
      attempts: { copied: 0, present: 2, refused: 1, failed: 0, open: 0 },
      problems: [{ path: 'Other/r1/only/0/0', kind: 'refused', error: { code: 'ATTEMPT_EXISTS' } }],
    });
  });

  it('says which address is wrong', async () => {
    const to = newTarget();
    const { code, stderr } = await copy(join(folder, 'nowhere'), to);
    expect(code).toBe(10);
    expect(stderr).toContain('nowhere');
    expect((await copy(from, from)).stderr).toContain('both the source and the target');
    expect((await copy(from, to, '--store', to)).stderr).toContain('leave out --store');
    expect((await copy(from)).code).toBe(2);
    expect((await copy(from, to, '--concurrency', '0')).code).toBe(2);
  });
});
