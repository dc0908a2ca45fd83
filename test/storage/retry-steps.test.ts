import { describe, expect, it } from 'vitest';
import { StowageError } from '../../src/errors.ts';
import type { CreateOptions, GetOptions, RepeatStep } from '../../src/storage/contract.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { RetryStorage } from '../../src/storage/retry.ts';

const text = (value: string) => new TextEncoder().encode(value);

/** A storage that does its work in two steps, of which the second fails as often as it is told. */
class InSteps extends MemoryStorage {
  readonly steps: string[] = [];
  failures = 0;
  error: Error = new StowageError('STORAGE_UNAVAILABLE', 'busy');

  override async create(name: string, body: Uint8Array | AsyncIterable<Uint8Array>, options: CreateOptions) {
    await this.#inSteps(options.repeatStep);
    return super.create(name, body, options);
  }

  override async get(name: string, options: GetOptions = {}) {
    await this.#inSteps(options.repeatStep);
    return super.get(name, options);
  }

  async #inSteps(repeat: RepeatStep = (step) => step()): Promise<void> {
    await repeat(async () => this.steps.push('first'));
    await repeat(async () => {
      this.steps.push('second');
      this.failures -= 1;
      if (this.failures >= 0) throw this.error;
    });
  }
}

function setUp(failures: number, maxAttempts = 4) {
  const inner = new InSteps();
  inner.failures = failures;
  const retry = new RetryStorage(new LimitStorage(inner, 1), { maxAttempts, sleep: async () => {} });
  return { inner, retry };
}

async function* stream() {
  yield text('x');
}

describe('a storage that works in steps', () => {
  const calls = {
    'create from bytes': (storage: RetryStorage) => storage.create('a', text('x')),
    'create from a stream': (storage: RetryStorage) => storage.create('a', stream()),
    get: (storage: RetryStorage) => storage.get('a'),
  };

  it.each(Object.entries(calls))('%s: repeats the step that failed, and no other', async (_, call) => {
    const { inner, retry } = setUp(3);
    await call(retry);
    expect(inner.steps).toEqual(['first', 'second', 'second', 'second', 'second']);
  });

  it.each(Object.entries(calls))('%s: gives up the call with the step, once', async (_, call) => {
    const { inner, retry } = setUp(100);
    await expect(call(retry)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      details: { name: 'a', attempts: 4 },
    });
    expect(inner.steps).toEqual(['first', 'second', 'second', 'second', 'second']);
  });

  it.each(Object.entries(calls))('%s: passes on what lasts at once', async (_, call) => {
    const { inner, retry } = setUp(100);
    inner.error = new StowageError('STORAGE_FULL', 'full');
    await expect(call(retry)).rejects.toBe(inner.error);
    expect(inner.steps).toEqual(['first', 'second']);
  });
});
