import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { countPieces, type Progress, ProgressMeter, withProgress } from '../../src/async/progress.ts';
import { propertyRuns, test } from '../property.ts';

const same = (progress: Progress): Progress => progress;

const steps = fc.array(fc.record({ afterMs: fc.nat(400), bytes: fc.nat(1_000_000), isItem: fc.boolean() }), {
  maxLength: 200,
});

describe('a listener', () => {
  afterEach(() => void vi.useRealTimers());

  test.prop([steps], { numRuns: propertyRuns })(
    'is told at most every 100 ms and once at the end, what never falls, with the rate of the last seconds',
    (work) => {
      vi.useFakeTimers({ toFake: ['performance'] });
      const told: Progress[] = [];
      const meter = new ProgressMeter((at) => told.push(at), 'test', same);
      const bytes = work.reduce((sum, step) => sum + step.bytes, 0);
      meter.expect({ bytes, items: 7 });
      let atMs = 0;
      for (const step of work) {
        vi.advanceTimersByTime(step.afterMs);
        atMs += step.afterMs;
        meter.add(step.bytes);
        if (step.isItem) meter.itemDone();
      }
      meter.succeed();
      const items = work.filter(({ isItem }) => isItem).length;
      expect(told.at(-1)).toMatchObject({
        bytesDone: bytes,
        bytesTotal: bytes,
        itemsDone: items,
        itemsTotal: 7,
        elapsedMs: atMs,
      });
      const all = [{ elapsedMs: 0, bytesDone: 0, itemsDone: 0 }, ...told];
      told.forEach((now, index) => {
        const before = all[index] as Progress;
        const isLast = index === told.length - 1;
        if (!isLast) expect(now.elapsedMs - before.elapsedMs).toBeGreaterThanOrEqual(100);
        expect(now.bytesDone).toBeGreaterThanOrEqual(before.bytesDone);
        expect(now.itemsDone).toBeGreaterThanOrEqual(before.itemsDone);
        // Since the newest that was told three seconds ago or earlier, or the beginning.
        const since = all.slice(0, index + 1).findLast(({ elapsedMs }) => elapsedMs <= now.elapsedMs - 3_000);
        const { elapsedMs, bytesDone } = since ?? (all[0] as Progress);
        const seconds = (now.elapsedMs - elapsedMs) / 1000;
        expect(now.bytesPerSecond).toBe(
          seconds === 0 ? 0 : Math.round((now.bytesDone - bytesDone) / seconds),
        );
      });
    },
  );

  it('is told nothing once the call has settled, whatever goes on behind it', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    for (const fails of [false, true]) {
      const told: number[] = [];
      let behind: ProgressMeter | undefined;
      const call = withProgress(
        ({ bytesDone }) => told.push(bytesDone),
        'test',
        async (progress) => {
          behind = progress;
          vi.advanceTimersByTime(150);
          progress?.add(1);
          progress?.add(1);
          if (fails) throw new Error('disk full');
        },
      );
      if (fails) await expect(call).rejects.toThrow('disk full');
      else await call;
      vi.advanceTimersByTime(1_000);
      behind?.add(5);
      behind?.itemDone();
      behind?.succeed();
      expect(told).toEqual(fails ? [1] : [1, 2]);
    }
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no such column');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no such column'))],
  ])('that %s is told of by a warning, once, and does not touch the call', async (_, fail) => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      let calls = 0;
      const result = await withProgress(
        () => {
          calls += 1;
          return fail() as undefined;
        },
        'saveArtifacts',
        async (progress) => {
          for (let i = 0; i < 3; i++) {
            vi.advanceTimersByTime(200);
            progress?.add(1);
            await nextTurn();
          }
          return 'saved';
        },
      );
      await nextTurn();
      expect(result).toBe('saved');
      expect(calls).toBe(1);
      expect(warnings).toMatchObject([{ name: 'StowageWarning', code: 'STOWAGE_PROGRESS_FAILED' }]);
      expect(warnings[0]?.message).toContain(
        'The onProgress listener of saveArtifacts threw: Error: no such',
      );
    } finally {
      process.off('warning', note);
    }
  });

  it('of pieces is told no end where their reader stops early', async () => {
    const told: Progress[] = [];
    let isClosed = false;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (let i = 0; i < 3; i++) yield new Uint8Array(10);
      } finally {
        isClosed = true;
      }
    };
    const count = (): AsyncGenerator<Uint8Array> =>
      countPieces(source(), (at) => told.push(at), 'streamBlob', 30);
    for await (const _ of count()) break;
    expect([told, isClosed]).toEqual([[], true]);
    for await (const _ of count());
    expect(told).toMatchObject([{ bytesDone: 30, bytesTotal: 30, itemsDone: 1, itemsTotal: 1 }]);
  });
});
