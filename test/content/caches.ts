import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { onTestFinished } from 'vitest';
import type { ByteCache, CacheFailure } from '../../src/content/caches/byte-cache.ts';
import { digestHex } from '../../src/digest/blake3.ts';

/** A key for a number. */
export function keyOf(number: number): string {
  return digestHex(Buffer.from(`key ${number}`));
}

/** What the channel `stowage:cache-failed` says of a cache (of any without one), until the test ends. */
export function failuresOf(cache?: ByteCache): CacheFailure[] {
  const failures: CacheFailure[] = [];
  const listen = (message: unknown): void => {
    const failure = message as CacheFailure;
    if (cache === undefined || failure.cache === cache) failures.push(failure);
  };
  subscribe('stowage:cache-failed', listen);
  onTestFinished(() => {
    unsubscribe('stowage:cache-failed', listen);
  });
  return failures;
}

/** A cache as somebody writes it first: a Map that keeps the very arrays. */
export class NaiveCache implements ByteCache {
  readonly entries = new Map<string, Uint8Array>();
  gets = 0;
  sets = 0;

  async get(key: string): Promise<Uint8Array | undefined> {
    this.gets++;
    return this.entries.get(key);
  }

  async set(key: string, bytes: Uint8Array): Promise<void> {
    this.sets++;
    this.entries.set(key, bytes);
  }

  async delete(key: string): Promise<void> {
    this.entries.delete(key);
  }
}
