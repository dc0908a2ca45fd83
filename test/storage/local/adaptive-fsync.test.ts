import { lstatSync, statfsSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  AdaptiveFsync,
  MAX_PROBE_INTERVAL_MS,
  MIN_PROBE_INTERVAL_MS,
  TRUSTED_PROBE_INTERVAL_MS,
  TRUSTED_STREAK,
} from '../../../src/storage/local/adaptive-fsync.ts';
import type { LocalSystem } from '../../../src/storage/local/system.ts';
import { test } from '../../property.ts';

/** A disk whose fsyncs take as long as told, and a clock that they move. */
function disk(costMs: number) {
  const state = { nowMs: 0, costMs, sync: 0, pool: 0 };
  const system: LocalSystem = {
    nowMs: () => state.nowMs,
    fsyncSync: () => {
      state.sync += 1;
      state.nowMs += state.costMs;
    },
    fsync: async () => {
      state.pool += 1;
    },
    linkSync: () => {},
    renameSync: () => {},
    lstatSync,
    statfsSync,
  };
  return { state, fsync: new AdaptiveFsync(system) };
}

it('stays on the main thread while it is fast', () => {
  const { state, fsync } = disk(0.001);
  for (let i = 0; i < 10_000; i += 1) expect(fsync.sync(1)).toBeUndefined();
  expect(state.pool).toBe(0);
});

it('moves to the thread pool at the first slow one', async () => {
  const { state, fsync } = disk(0.4);
  expect(fsync.sync(1)).toBeUndefined();
  for (let i = 0; i < 100; i += 1) await fsync.sync(1);
  expect(state).toMatchObject({ sync: 1, pool: 100 });
});

it('comes back when the disk turns out to be fast', async () => {
  const { state, fsync } = disk(5);
  await fsync.sync(1);
  state.costMs = 0.001;
  state.nowMs += MIN_PROBE_INTERVAL_MS;
  for (let i = 0; i < 10; i += 1) expect(fsync.sync(1)).toBeUndefined();
  expect(state.pool).toBe(0);
});

it('comes back soon from a hiccup of a disk that was fast for long', async () => {
  const { state, fsync } = disk(0.001);
  for (let i = 0; i < TRUSTED_STREAK; i += 1) await fsync.sync(1);
  state.costMs = 3;
  await fsync.sync(1);
  state.costMs = 0.001;
  expect(fsync.sync(1)).toBeInstanceOf(Promise);
  state.nowMs += TRUSTED_PROBE_INTERVAL_MS;
  expect(fsync.sync(1)).toBeUndefined();
});

test.prop([fc.array(fc.double({ min: 0, max: 50, noNaN: true }), { minLength: 1, maxLength: 2000 })])(
  'blocks for a slow disk at most once a second, and ever less',
  async (pausesMs) => {
    const { state, fsync } = disk(2);
    const blockedAtMs: number[] = [];
    for (const pauseMs of pausesMs) {
      const before = state.sync;
      const startMs = state.nowMs;
      await fsync.sync(1);
      if (state.sync > before) blockedAtMs.push(startMs);
      state.nowMs += pauseMs;
    }
    let leastMs = MIN_PROBE_INTERVAL_MS;
    for (let i = 1; i < blockedAtMs.length; i += 1) {
      expect((blockedAtMs[i] as number) - (blockedAtMs[i - 1] as number)).toBeGreaterThanOrEqual(leastMs);
      leastMs = Math.min(leastMs * 2, MAX_PROBE_INTERVAL_MS);
    }
  },
);

it('passes failures on, from either side', async () => {
  const failure = new Error('EIO');
  let isSlow = false;
  let nowMs = 0;
  const fsync = new AdaptiveFsync({
    nowMs: () => (nowMs += 1),
    fsyncSync: () => {
      if (!isSlow) throw failure;
    },
    fsync: async () => {
      throw failure;
    },
    linkSync: () => {},
    renameSync: () => {},
    lstatSync,
    statfsSync,
  });
  expect(() => fsync.sync(1)).toThrow(failure);
  isSlow = true;
  await fsync.sync(1);
  await expect(fsync.sync(1)).rejects.toBe(failure);
});
