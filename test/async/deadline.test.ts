import { describe, expect, it } from 'vitest';
import { Deadline } from '../../src/async/deadline.ts';

/** Work that goes on until it is aborted, or for ever. */
function endless(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
}

function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('work that the cache waits for', () => {
  it('is aborted when nobody waits for it any more', async () => {
    const seen: AbortSignal[] = [];
    const work = ({ signal }: { signal: AbortSignal }) => {
      seen.push(signal);
      return endless(signal);
    };
    const late = await failureOf(new Deadline(5).run({}, work));
    expect(late).toMatchObject({ code: 'STORAGE_UNAVAILABLE', details: { limitMs: 5 } });
    const controller = new AbortController();
    const ended = failureOf(new Deadline(60_000).run({ signal: controller.signal }, work));
    controller.abort();
    expect(await ended).toMatchObject({ code: 'ABORTED' });
    expect(seen.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  it('is aborted as a whole when a part of it fails', async () => {
    let rest: Promise<unknown> = Promise.resolve();
    const failing = new Deadline(60_000).run({}, ({ signal }) => {
      rest = failureOf(endless(signal));
      return Promise.all([rest, Promise.reject(new Error('broken'))]);
    });
    expect(await failureOf(failing)).toMatchObject({ message: 'broken' });
    expect(await rest).toMatchObject({ message: 'stopped' });
  });

  it('is not aborted where other work of the same deadline fails, at once or before', async () => {
    const deadline = new Deadline(60_000);
    const seen: AbortSignal[] = [];
    const run = (work: () => Promise<unknown>) =>
      failureOf(
        deadline.run({}, ({ signal }) => {
          seen.push(signal);
          return work();
        }),
      );
    const fail = async () => {
      throw new Error('broken');
    };
    await run(async () => 'found');
    let end = (_: unknown): void => {};
    const long = run(
      () =>
        new Promise((resolve) => {
          end = resolve;
        }),
    );
    await run(fail);
    end(undefined);
    await long;
    await run(async () => 'found');
    expect(seen.map(({ aborted }) => aborted)).toEqual([false, false, true, false]);
  });

  it('takes what it took off the time that is left, and no more is begun when that is over', async () => {
    let nowMs = 0;
    const deadline = new Deadline(10, () => nowMs);
    const work = async () => {
      nowMs += 6;
      return 'found';
    };
    expect(await deadline.run({}, work)).toBe('found');
    expect(await deadline.run({}, work)).toBe('found');
    expect(await failureOf(deadline.run({}, work))).toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(nowMs).toBe(12);
    deadline.renew();
    expect(await deadline.run({}, work)).toBe('found');
  });
});
