import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LocalStorage } from '../../src/storage/local.ts';
import { noise, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';
import { readAll } from './copied-store.ts';
import { expectCopied } from './stores.ts';

const KILLS = Number(process.env.STOWAGE_KILLS ?? 8);
const LARGE_BYTES = 64 * 1024 * 1024;

interface Worker {
  child: ChildProcess;
  output: () => string;
  closed: Promise<unknown>;
}

function start(worker: string, args: readonly string[], flags: readonly string[] = []): Worker {
  const path = join(import.meta.dirname, 'workers', worker);
  const child = spawn(process.execPath, [...flags, path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout?.on('data', (data) => {
    text += data;
  });
  return { child, output: () => text, closed: once(child, 'close') };
}

/** A store of forty tasks in two runs: small and large content, some of it shared, and logs. */
async function makeStore(storage: string): Promise<void> {
  const flow = await openFlow({ storage });
  for (let i = 0; i < 40; i++) {
    await flow.task({ runId: `r${i % 2}`, stepName: 'fit', taskId: String(i) }, async (task) => {
      await task.saveLogs('task', { stdout: `task ${i}\n` });
      await task.saveArtifacts({
        i,
        own: noise(20_000, i + 1),
        shared: noise(50_000, 1 + (i % 3)),
        large: noise(300_000, 1 + (i % 5)),
      });
    });
  }
  await flow.saveData([{ name: 'report.html', data: noise(5_000, 99) }]);
}

describe('a copy that is killed', () => {
  it('at any moment, two at once, shows nothing that is not so, and is gone on with by the next', async () => {
    const folder = scratchFolder();
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    await makeStore(from);
    const [source, target] = [await LocalStorage.open(from), await LocalStorage.open(to)];
    const all = await readAll(source);
    for (let kill = 0; kill < KILLS; kill++) {
      const copiers = [start('copy.mjs', [from, to]), start('copy.mjs', [from, to])];
      for (const { child, output } of copiers) {
        while (output() === '' && child.exitCode === null) await sleep(2);
      }
      await sleep(Math.random() * 120);
      for (const { child } of copiers) child.kill('SIGKILL');
      await Promise.all(copiers.map(({ closed }) => closed));
      for (const [path, said] of Object.entries(await readAll(target))) {
        if (path.startsWith('flows/')) expect(said, path).toEqual(all[path]);
      }
    }
    await expectCopied(source, target);
    await source.close();
    await target.close();
  });
});

describe('copies by several processes', () => {
  it('of one store to another end well, all of them', async () => {
    const folder = scratchFolder();
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    await makeStore(from);
    const copiers = [1, 2, 3].map(() => start('copy.mjs', [from, to]));
    await Promise.all(copiers.map(({ closed }) => closed));
    for (const { output } of copiers) {
      const { attempts, problems } = JSON.parse(output().split('\n')[1] as string);
      expect(problems).toEqual([]);
      expect(attempts.copied + attempts.present).toBe(40);
    }
    const [source, target] = [await LocalStorage.open(from), await LocalStorage.open(to)];
    expect(await readAll(target)).toEqual(await readAll(source));
    await source.close();
    await target.close();
  });
});

describe('the memory of a copy', () => {
  it('does not grow with the content', async () => {
    const folder = scratchFolder();
    const [warm, from, to] = ['warm', 'from', 'to'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const large = async function* (seed: number): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < LARGE_BYTES / 2 ** 20; i++) yield noise(2 ** 20, seed * 1000 + i);
    };
    for (const [storage, tasks] of [
      [warm, 1],
      [from, 4],
    ] as const) {
      const flow = await openFlow({ storage });
      for (let i = 0; i < tasks; i++) {
        const spec = { runId: 'r1', stepName: 'fit', taskId: String(i) };
        await flow.task(spec, (task) =>
          storage === warm
            ? task.saveArtifacts({ x: noise(2_000_000) })
            : task.saveArtifactStream('x', large(i + 1)),
        );
      }
    }
    await saveTask(await openFlow({ storage: from }), { i: 1 }, { runId: 'r2' });
    const worker = start('copy-large.mjs', [warm, from, to], ['--expose-gc']);
    await worker.closed;
    const { grownBytes, contentBytes, problems } = JSON.parse(worker.output());
    expect({ contentBytes, problems }).toEqual({ contentBytes: 4 * LARGE_BYTES, problems: 0 });
    expect(grownBytes).toBeLessThan(256 * 1024 * 1024);
    console.log(
      `copying ${contentBytes / 2 ** 20} MiB took ${Math.round(grownBytes / 2 ** 20)} MiB of memory`,
    );
  });
});
