import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/content/caches/disk-cache.ts';
import { MemoryCache } from '../../src/content/caches/memory-cache.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { S3Storage } from '../../src/storage/s3.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { errorOf, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';

const KEY = 'a'.repeat(64);
type Given = (value: never, flow: FlowDataStore) => unknown;

function task(flow: FlowDataStore, options: object) {
  return flow.cachedTask({ name: 'n', version: '1', run: (x: number) => x, ...options });
}

async function drained(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/** How options that are numbers are given; a dot marks what may be endless. */
const OPTIONS: Record<string, Given> = {
  'cachedTask maxAge.': (maxAge, flow) => task(flow, { maxAge }),
  'cachedTask leaseMs': (leaseMs, flow) => task(flow, { leaseMs }),
  'cachedTask cacheTimeoutMs': (cacheTimeoutMs, flow) => task(flow, { cacheTimeoutMs }),
  'cachedTask retry.attempts': (attempts, flow) => task(flow, { retry: { attempts } }),
  'cachedTask retry.delayMs': (delayMs, flow) => task(flow, { retry: { attempts: 2, delayMs } }),
  'map concurrency': (concurrency, flow) => drained(task(flow, {}).map([1], { concurrency })),
  'plan concurrency': (concurrency, flow) => task(flow, {}).plan([1], { concurrency }),
  'cache cacheTimeoutMs': (cacheTimeoutMs) => openFlow({ cache: { cacheTimeoutMs } }),
  'cache.lookup maxAgeMs.': (maxAgeMs, flow) => flow.cache.lookup(KEY, { maxAgeMs }),
  'cache.acquire maxAgeMs.': (maxAgeMs, flow) => flow.cache.acquire(KEY, { maxAgeMs }),
  'cache.acquire leaseMs': (leaseMs, flow) => flow.cache.acquire(KEY, { leaseMs }),
  'open maxInlineBytes': (maxInlineBytes) => openFlow({ maxInlineBytes }),
  'runs limit': (limit, flow) => flow.runs({ limit }),
  'task attempt': (attempt, flow) =>
    flow.task({ runId: 'r', stepName: 's', taskId: '0', attempt }, () => undefined),
  'getTaskDataStore attempt': (attempt, flow) => flow.getTaskDataStore('r1/fit/0', { attempt }),
  'getTaskDataStoreSet maxPrefetchBytes.': (maxPrefetchBytes, flow) =>
    flow.getTaskDataStoreSet({ runId: 'r1', maxPrefetchBytes }),
  'toRecord maxValueBytes.': async (maxValueBytes, flow) =>
    (await flow.getTaskDataStore('r1/fit/0')).toRecord({ maxValueBytes }),
  'copyStore concurrency': (concurrency, flow) =>
    copyStore({ from: flow.storage, to: new MemoryStorage(), concurrency }),
  'MemoryCache maxBytes': (maxBytes) => MemoryCache.open({ maxBytes }),
  'DiskCache maxBytes': (maxBytes) => DiskCache.open(scratchFolder(), { maxBytes }),
  'registry maxBytes': (maxBytes) => new SerializerRegistry({ maxBytes }),
  'registry maxDepth': (maxDepth) => new SerializerRegistry({ maxDepth }),
  maxInFlight: (value) => new LimitStorage(new MemoryStorage(), value),
  'get maxBytes.': (maxBytes, flow) => flow.storage.get('stowage.json', { maxBytes }),
  'list limit': (limit, flow) => drained(flow.storage.list({ prefix: '', limit })),
  'S3 concurrency': (concurrency) => S3Storage.open('s3://bucket', { concurrency }),
  'S3 partBytes': (partBytes) => S3Storage.open('s3://bucket', { partBytes }),
  'S3 requestTimeoutMs': (requestTimeoutMs) => S3Storage.open('s3://bucket', { requestTimeoutMs }),
  'retry maxAttempts': (maxAttempts) => new RetryStorage(new MemoryStorage(), { maxAttempts }),
  'retry budgetMs.': (budgetMs) => new RetryStorage(new MemoryStorage(), { budgetMs }),
  'retry firstContactBudgetMs.': (firstContactBudgetMs) =>
    new RetryStorage(new MemoryStorage(), { firstContactBudgetMs }),
  'retry baseDelayMs.': (baseDelayMs) => new RetryStorage(new MemoryStorage(), { baseDelayMs }),
  'retry maxDelayMs.': (maxDelayMs) => new RetryStorage(new MemoryStorage(), { maxDelayMs }),
};

describe('an option that is a number', () => {
  it.each(Object.entries(OPTIONS))('is one from 0 on, or an error: %s', async (name, given) => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    const wrong: unknown[] = [Number.NaN, -1, Number.NEGATIVE_INFINITY, '5', true];
    if (!name.endsWith('.')) wrong.push(Number.POSITIVE_INFINITY);
    for (const value of wrong) {
      if (name === 'cachedTask maxAge.' && value === '5') continue;
      const error = await errorOf(async () => given(value as never, flow), 'INVALID_ARGUMENT');
      expect(error.message).toContain(String(value));
    }
  });
});
