import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readEnvelopeHeader } from '../../src/codec/envelope.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { parseCopyName } from '../../src/format/content-names.ts';
import { errorOf, expectSame, objectNames, openFlow, scratchFolder } from './fixtures.ts';
import { valuesOf } from './workers/values.mjs';

/** Stores that processes of one machine share, by their addresses in a folder. */
const STORES: readonly [where: string, address: (folder: string) => string][] = [
  ['in a folder', (folder) => join(folder, 'store')],
  ['in a file of SQLite', (folder) => `sqlite:${join(folder, 'store.db')}`],
];

const KILLS = Number(process.env.STOWAGE_KILLS ?? 7);

interface Worker {
  child: ChildProcess;
  output: () => string;
  /** Resolves when the process has ended and all it wrote was read. */
  closed: Promise<unknown>;
}

function start(worker: string, ...args: string[]): Worker {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'workers', worker), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout?.on('data', (data) => {
    text += data;
  });
  return { child, output: () => text, closed: once(child, 'close') };
}

/** Waits until every worker has written something; one that ended before fails the test. */
async function untilTheySpeak(workers: readonly Worker[]): Promise<void> {
  for (const { child, output } of workers) {
    while (output() === '') {
      if (child.exitCode !== null) throw new Error(`a worker ended with ${child.exitCode}`);
      await sleep(2);
    }
  }
}

/** The lines that were written whole. */
function lines(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

/** Every object that looks like content is whole. */
async function expectWholeCopies(flow: FlowDataStore): Promise<void> {
  for (const name of [
    ...(await objectNames(flow.storage, 'data/')),
    ...(await objectNames(flow.storage, 'manifests/')),
  ]) {
    const object = await flow.storage.get(name);
    expect(object?.bytes, name).toBe(parseCopyName(name)?.bytes);
    readEnvelopeHeader(object?.body as Uint8Array);
  }
}

describe('a process that is killed', () => {
  it.each([
    ...STORES.map(([where, address]) => [where, address, undefined] as const),
    ['in a folder, with its content elsewhere', STORES[0]?.[1] as (folder: string) => string, 'raw'] as const,
  ])(
    'at any moment leaves every closed attempt readable, and no other visible: %s',
    async (_, address, raw) => {
      const folder = scratchFolder();
      const store = address(folder);
      const elsewhere = raw === undefined ? [] : [join(folder, raw)];
      const closed = new Set<string>();
      for (let kill = 0; kill < KILLS; kill++) {
        const workers = [
          start('save-tasks.mjs', store, 'r1', String(2 * kill), ...elsewhere),
          start('save-tasks.mjs', store, 'r1', String(2 * kill + 1), ...elsewhere),
        ];
        await untilTheySpeak(workers);
        await sleep(Math.random() * 60);
        for (const { child } of workers) child.kill('SIGKILL');
        await Promise.all(workers.map((worker) => worker.closed));
        for (const { output } of workers) for (const line of lines(output())) closed.add(line);
      }

      const flow = await openFlow({ storage: store });
      const visible = await flow.getTaskDataStores({ runId: 'r1' });
      expect(visible.map((task) => task.taskId)).toEqual(expect.arrayContaining([...closed]));
      // A worker may be killed after DONE and before it could say so.
      expect(visible.length).toBeLessThanOrEqual(closed.size + 2 * KILLS);
      for (const task of visible) {
        const [seed, i] = task.taskId.split('-').map(Number) as [number, number];
        expectSame(await task.loadArtifacts(), valuesOf(seed, i));
      }
      const all = await flow.getTaskDataStores({ runId: 'r1', allowNotDone: true });
      for (const task of all.filter(({ isDone }) => !isDone)) {
        expect([task.status, task.names()]).toEqual(['open', []]);
        await errorOf(flow.getTaskDataStore(task.pathspec), 'ATTEMPT_NOT_DONE');
      }
      await expectWholeCopies(flow);
      if (raw) expect(await objectNames(flow.storage, 'data/')).toEqual([]);
      expect((await objectNames(flow.storage)).filter((name) => name.startsWith('.stowage-tmp'))).toEqual([]);
    },
  );
});

describe.each(STORES)('processes at once, %s', (_, address) => {
  async function race(workers: [string, string, string][]): Promise<{ store: string; results: string[] }> {
    const store = address(scratchFolder());
    const started = workers.map(([task, attempt, seed]) =>
      start('save-once.mjs', store, task, attempt, seed),
    );
    await untilTheySpeak(started);
    for (const { child } of started) child.stdin?.write('go\n');
    await Promise.all(started.map((worker) => worker.closed));
    return { store, results: started.map(({ output }) => lines(output())[1] as string) };
  }

  it('fighting for one attempt: exactly one owns it', async () => {
    const { store, results } = await race(Array.from({ length: 6 }, (_, i) => ['0', '0', String(i)]));
    expect(results.filter((result) => result === 'attempt 0')).toHaveLength(1);
    expect(results.filter((result) => result === 'error ATTEMPT_EXISTS')).toHaveLength(5);
    const task = await (await openFlow({ storage: store })).getTaskDataStore('r1/fit/0');
    const winner = results.indexOf('attempt 0');
    expect(await task.get('small')).toEqual({ seed: winner, i: 0 });
  });

  it('asking for the next attempt: each gets its own', async () => {
    const { results } = await race(Array.from({ length: 6 }, (_, i) => ['0', 'next', String(i)]));
    expect(results.sort()).toEqual([0, 1, 2, 3, 4, 5].map((n) => `attempt ${n}`));
  });

  it('saving the same content: one copy is enough, and never a third of what was visible', async () => {
    const { store, results } = await race(Array.from({ length: 6 }, (_, i) => [String(i), '0', '7']));
    expect(results).toEqual(Array.from({ length: 6 }, () => 'attempt 0'));
    const flow = await openFlow({ storage: store });
    const before = await objectNames(flow.storage, 'data/');
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: 'after' }, (task) =>
      task.saveArtifacts(valuesOf(7, 0)),
    );
    expect(await objectNames(flow.storage, 'data/')).toEqual(before);
    for (const task of await flow.getTaskDataStores({ runId: 'r1' }))
      expectSame(await task.loadArtifacts(), valuesOf(7, 0));
  });
});
