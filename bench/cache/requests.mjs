import { CountStorage, FlowDataStore, MemoryStorage } from '../../dist/index.js';
import { ObjectStorage, requestsOf } from '../requests.mjs';
import { noise } from '../values.mjs';
import { inputOf, judge } from './work.mjs';

const PLAN = 500;

/** How many requests a call of a cached task takes on an object storage: counted as in ../requests.mjs. */
export async function countCacheRequests() {
  const counter = new CountStorage(new ObjectStorage(new MemoryStorage()));
  const counted = async (work, call) => {
    counter.reset();
    const result = await call();
    return { work, result, ...requestsOf(counter.snapshot()) };
  };
  const open = async () => {
    const flow = await FlowDataStore.open({ flowName: 'Bench', storage: counter });
    const one = flow.cachedTask({ name: 'judge', version: '1', run: judge });
    const content = (name, bytes) => flow.cachedTask({ name, version: '1', run: (n) => noise(bytes, n) });
    const medium = content('medium', 20 * 1024);
    const large = content('large', 8 * 1024 * 1024);
    const serialized = flow.cachedTask({ name: 'serialized', version: '1', serialize: true, run: judge });
    return { one, medium, large, serialized };
  };
  const writer = await open();
  const rows = [
    await counted('a miss, the first call of a process on a new store', () => writer.one(inputOf(0))),
    await counted('a miss', () => writer.one(inputOf(1))),
    await counted('a miss, serialized between processes', () => writer.serialized(inputOf(1))),
  ];
  for (let n = 2; n < PLAN; n += 1) await writer.one(inputOf(n));
  for (const task of [writer.medium, writer.large]) await task(1);
  const reader = await open();
  const plan = Array.from({ length: PLAN }, (_, n) => inputOf(n));
  rows.push(
    await counted('a hit, the first call of a process', () => reader.one(inputOf(0))),
    await counted('a hit, output inline (up to 16 KiB)', () => reader.one(inputOf(1))),
    await counted('a hit, serialized between processes', () => reader.serialized(inputOf(1))),
    await counted('a hit, output of 20 KiB', () => reader.medium(1)),
    await counted('a hit, output of 8 MiB', () => reader.large(1)),
    await counted(`plan over ${PLAN} inputs that are hits`, () => reader.one.plan(plan)),
  );
  const last = rows.at(-1);
  if (last.result.hits !== PLAN) throw new Error(`the plan has ${last.result.hits} hits, not ${PLAN}`);
  return rows.map(({ work, requests, by }) => ({ work, requests, by }));
}
