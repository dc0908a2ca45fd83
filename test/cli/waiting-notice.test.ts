import { channel } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WaitingNotice } from '../../src/cli/waiting-notice.ts';
import { watched } from '../../src/cli/watched-storage.ts';
import { StowageError } from '../../src/errors.ts';
import type { StorageCapabilities, StoredObject } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';

/** A storage behind a server that answers when it is told to. */
class Slow extends StorageDecorator {
  answer: () => void = () => {};

  override get endpoint(): string {
    return 'https://host.example:9000/';
  }

  override get capabilities(): StorageCapabilities {
    return { ...this.inner.capabilities, localReads: false };
  }

  override async get(): Promise<StoredObject | undefined> {
    await new Promise<void>((resolve) => {
      this.answer = resolve;
    });
    return undefined;
  }
}

let said: string[];
let notice: WaitingNotice;

beforeEach(() => {
  vi.useFakeTimers();
  said = [];
  notice = new WaitingNotice((text) => said.push(text));
});

afterEach(() => {
  notice.end();
  vi.useRealTimers();
});

describe('a call that nobody answers', () => {
  it('is told after three seconds, and every fifteen', async () => {
    const storage = watched(new Slow(new MemoryStorage()), notice);
    void storage.get('stowage.json', { maxBytes: 1000 });
    await vi.advanceTimersByTimeAsync(2_900);
    expect(said).toEqual([]);
    await vi.advanceTimersByTimeAsync(700);
    expect(said).toEqual(['host.example:9000 has not answered for 3 seconds, still waiting']);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(said).toHaveLength(2);
  });

  it('is not told once it was answered', async () => {
    const slow = new Slow(new MemoryStorage());
    const called = watched(slow, notice).get('stowage.json');
    await vi.advanceTimersByTimeAsync(2_000);
    slow.answer();
    await called;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(said).toEqual([]);
  });

  it('has more time the more it may have to move', async () => {
    const storage = watched(new Slow(new MemoryStorage()), notice);
    void storage.get('pack', { range: { offset: 0, length: 2_560_000 } });
    await vi.advanceTimersByTimeAsync(12_000);
    expect(said).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(said).toHaveLength(1);
  });

  it('begins anew when a try failed, which is told by itself', async () => {
    const storage = watched(new Slow(new MemoryStorage()), notice);
    void storage.get('stowage.json', { maxBytes: 1000 });
    const error = new StowageError('STORAGE_UNAVAILABLE', 'busy', {
      details: { place: 'bucket at host.example:9000', status: 503 },
    });
    await vi.advanceTimersByTimeAsync(2_000);
    const retry = { operation: 'get', name: 'stowage.json', attempt: 1, delayMs: 1_000, error };
    channel('stowage:retrying').publish(retry);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(said).toEqual([]);
    channel('stowage:retrying').publish({ ...retry, attempt: 2 });
    expect(said).toEqual(['host.example:9000 answers with HTTP 503, trying again']);
  });
});

it('a try of a database that failed is told by its address, in few words', async () => {
  const address = `postgres://host.example:5432/${'d'.repeat(200)}/stowage`;
  const error = new StowageError('STORAGE_UNAVAILABLE', `Cannot get "x" in ${address}: it is down.`, {
    details: { address, cause: 'ECONNREFUSED' },
  });
  const retry = { operation: 'get', name: 'x', attempt: 1, delayMs: 5_000, error };
  channel('stowage:retrying').publish(retry);
  expect(said).toEqual([`${address} does not answer (ECONNREFUSED), trying again`]);
});

it('a storage on this machine is used as it is', () => {
  const storage = new MemoryStorage();
  expect(watched(storage, notice)).toBe(storage);
});
