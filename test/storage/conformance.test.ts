import { join } from 'node:path';
import { describe, it } from 'vitest';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { type Fault, FaultStorage } from '../../src/storage/fault.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { PrefixStorage } from '../../src/storage/prefix.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { describeStorage } from '../../src/testing/index.ts';
import { scratchFolder } from './scratch.ts';

const runner = { describe, it: it as (name: string, body: (context?: unknown) => Promise<void>) => void };
const folder = scratchFolder();
const onDisk = (name: string) => join(folder, name);
const memory = (name: string) => async () => new MemoryStorage(`conformance ${name}`);

describeStorage(runner, 'memory', memory('plain'));

// How names are written has nothing to do with syncing.
for (const [names, fsync] of [
  ['exact', true],
  ['fold', false],
] as const) {
  const path = onDisk(names);
  describeStorage(runner, `local, ${names}, fsync ${fsync}`, () => LocalStorage.open(path, { names, fsync }));
}

const slow = { fsyncSync: () => {}, fsync: () => new Promise<void>((done) => setTimeout(done, 1)) };
let clock = 0;
const system = { ...slow, nowMs: () => (clock += 1) };
describeStorage(runner, 'local, fsyncs in the thread pool', () =>
  LocalStorage.open(onDisk('pool'), { system }),
);

const decorators: Record<string, (storage: DataStoreStorage) => DataStoreStorage> = {
  retry: (storage) => new RetryStorage(storage),
  'retry over faults': (storage) => {
    let state = 1;
    // The response of a create from a stream must not be lost: nobody could tell whose object it is then.
    const plan = (operation: string): Fault | undefined => {
      state = (state * 48_271) % 2_147_483_647;
      if (state % 6 === 0) return { kind: 'before' };
      return state % 6 === 1 && operation !== 'create' ? { kind: 'after' } : undefined;
    };
    return new RetryStorage(new FaultStorage(storage, plan), { maxAttempts: 30, sleep: async () => {} });
  },
  limit: (storage) => new LimitStorage(storage, 2),
  prefix: (storage) => new PrefixStorage(storage, 'some/Where: else'),
  count: (storage) => new CountStorage(storage),
  fault: (storage) => new FaultStorage(storage, () => undefined),
};

for (const [name, decorate] of Object.entries(decorators)) {
  const open = memory(name);
  describeStorage(runner, `${name} over memory`, async () => decorate(await open()));
}

describeStorage(runner, 'all decorators over local', async () => {
  let storage: DataStoreStorage = await LocalStorage.open(onDisk('decorated'), { fsync: false });
  for (const [name, decorate] of Object.entries(decorators)) {
    if (name !== 'retry over faults') storage = decorate(storage);
  }
  return storage;
});
