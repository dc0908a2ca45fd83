import { describe, expect, it } from 'vitest';
import type { CachedTask } from '../../src/cached-tasks/cached-task.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, openFlow, saveTask } from '../flow/fixtures.ts';

const RUN = { runId: 'r' };
const CALLS = 40;
/** An attempt has three files, and a key at most one entry and some leases. */
const MOST_LISTED = 12;

type Task = CachedTask<number, unknown>;

/** What each of many calls asks of the storage. */
async function costs(
  call: (task: Task) => Promise<unknown>,
  options: object = {},
  isNewProcess = false,
): Promise<{ requests: number; names: number }[]> {
  const storage = new CountStorage(new MemoryStorage());
  const define = async (): Promise<Task> =>
    (await openFlow({ storage })).cachedTask({ name: 'again', version: '1', run: (x) => x, ...options });
  let task = await define();
  const all: { requests: number; names: number }[] = [];
  for (let count = 0; count < CALLS; count++) {
    if (isNewProcess) task = await define();
    storage.reset();
    await call(task);
    const { requests, list } = storage.snapshot();
    all.push({ requests, names: list.names });
  }
  return all;
}

describe('a call of one run that runs again and again', () => {
  const kinds: [string, (task: Task) => Promise<unknown>, object?][] = [
    ['is refreshed', (task) => task(1, { ...RUN, mode: 'refresh' })],
    ['is refreshed under a lease', (task) => task(1, { ...RUN, mode: 'refresh' }), { serialize: true }],
    ['is off', (task) => task(1, { ...RUN, mode: 'off' })],
    ['is expired', (task) => task(1, RUN), { maxAge: 0 }],
    [
      'was evicted',
      async (task) => {
        await task(1, RUN);
        await task.evict(1);
      },
    ],
    [
      'fails',
      (task) => expect(task(1, RUN)).rejects.toThrow('no'),
      { run: () => Promise.reject(new Error('no')) },
    ],
    ['gives what cannot be saved', (task) => task(1, RUN), { run: () => () => 1 }],
    ['is a hit that is recorded', (task) => task(1, { ...RUN, recordHit: true })],
  ];

  it.each(kinds)('lists no more for its earlier attempts, and asks no more: %s', async (_, call, options) => {
    const all = await costs(call, options);
    const early = all[3];
    expect(all.at(-1)).toEqual(early);
    expect(early?.names).toBeLessThanOrEqual(MOST_LISTED);
  });

  it.each(kinds.filter(([kind]) => /refreshed|expired/.test(kind)))(
    'nor in a new process each time, which the entry tells how many there are: %s',
    async (_, call, options) => {
      const all = await costs(call, options, true);
      expect(all.at(-1)).toEqual(all[3]);
      expect(all.at(-1)?.names).toBeLessThanOrEqual(MOST_LISTED);
    },
  );
});

describe('the number of an attempt', () => {
  it('is never given twice, and follows those that others opened', async () => {
    const storage = new MemoryStorage();
    const processes = await Promise.all(
      [1, 2, 3].map(async () =>
        (await openFlow({ storage })).cachedTask({ name: 'n', version: '1', run: (x) => x }),
      ),
    );
    const numbers: number[] = [];
    for (let round = 0; round < 4; round++) {
      const results = await Promise.all(
        processes.map((task) => task.detailed(1, { ...RUN, mode: round % 2 === 0 ? 'refresh' : 'off' })),
      );
      numbers.push(...results.map(({ recorded }) => Number(recorded?.split('/').at(-1))));
    }
    expect(numbers.sort((a, b) => a - b)).toEqual([...numbers.keys()]);
  });

  it('is that after an entry of the same run only', async () => {
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'n', version: '1', run: (x) => x });
    for (const [runId, expected] of [
      ['a', 'a'],
      ['b', 'b'],
    ] as const) {
      const { recorded } = await task.detailed(1, { runId, mode: 'refresh' });
      expect(recorded).toMatch(new RegExp(`^${expected}/n/.*/0$`));
    }
  });
});

describe('reading one attempt of many', () => {
  it('lists that one, and names the others where it is not there', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    const spec = { runId: 'r', stepName: 's', taskId: '0' };
    for (let attempt = 0; attempt < 12; attempt++) await saveTask(flow, { x: attempt }, { ...spec, attempt });
    storage.reset();
    const read = await flow.getTaskDataStore('r/s/0/1');
    expect(await read.loadArtifacts()).toEqual({ x: 1 });
    expect(storage.snapshot().list).toMatchObject({ calls: 1, names: 3 });
    const missing = await errorOf(flow.getTaskDataStore('r/s/0/12'), 'ATTEMPT_NOT_FOUND');
    expect(missing.details.existing).toEqual([...Array(12).keys()]);
  });
});
