import { join } from 'node:path';
import { TaskCache } from '../../src/cache/task-cache.ts';
import { FlowDataStore, openStorage } from '../../src/index.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { contentOf } from '../cache/fixtures.ts';
import { noise } from './fixture.ts';

/** What stands in inputs and outputs, and never in what is shown of the cache. */
export const SECRET = 'sesame-open-4711';

/** The keys of {@link makeCache}'s entries. */
export interface CachedKeys {
  /** Task `judge` of the scope `flow Train`: version 3 of two prompts, 40 and 10 days old, and version 4 of the first, an hour old. */
  first: string;
  second: string;
  newer: string;
  /** Task `embed` of the scope `shared`, now: 50,000 bytes that are content. */
  embedded: string;
}

const DAY_MS = 86_400_000;

/** Makes a store, by cached tasks, of four entries; they are told when it is. */
export async function makeCache(storage: string | DataStoreStorage): Promise<CachedKeys> {
  const judge = async (version: string, prompt: string, agoMs: number): Promise<string> => {
    const cache = { nowMs: () => Date.now() - agoMs };
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage, cache });
    const task = flow.cachedTask({
      name: 'judge',
      version,
      config: { temperature: 0 },
      run: async (input: { prompt: string; of: { user: string } }) => ({
        text: `${SECRET} ${input.prompt}`,
      }),
    });
    const { key, stored } = await task.detailed({ prompt, of: { user: SECRET } });
    if (!stored) throw new Error('the result was not stored');
    return key;
  };
  const first = await judge('3', 'Is it so?', 40 * DAY_MS);
  const second = await judge('3', 'Is it?', 10 * DAY_MS);
  const newer = await judge('4', 'Is it so?', DAY_MS / 24);
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage });
  const embed = flow.cachedTask({
    name: 'embed',
    version: '1',
    scope: 'shared',
    run: async () => noise(50_000),
  });
  return { first, second, newer, embedded: (await embed.detailed()).key };
}

/** The folder of a local store in which an entry lies, and its file. */
export function entryFile(store: string, key: string): string {
  return join(store, 'cache', key.slice(0, 3), `${key}.json`);
}

/** The cache of a local store, for entries that no task of the tests stores. */
export async function withCacheOf<T>(store: string, work: (cache: TaskCache) => Promise<T>): Promise<T> {
  await using storage = await openStorage(store);
  return await work(new TaskCache(contentOf(storage), { signingKeys: false }));
}
