import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Room } from '../../src/async/room.ts';
import { test } from '../property.ts';

const never = new AbortController().signal;

describe('room for bytes', () => {
  const work = fc.record({ bytes: fc.nat(100), turns: fc.nat(4), leaves: fc.boolean() });

  test.prop([fc.array(work, { maxLength: 30 })])(
    'is never taken by more than there is, and all who stay get theirs, in order',
    async (works) => {
      const room = new Room(100);
      let taken = 0;
      const begun: number[] = [];
      const all = works.map(async ({ bytes, turns, leaves }, index) => {
        const ending = new AbortController();
        if (leaves) queueMicrotask(() => ending.abort());
        const release = await room.take(bytes, ending.signal).catch(() => undefined);
        if (!release) return expect(leaves).toBe(true);
        begun.push(index);
        taken += bytes;
        expect(taken).toBeLessThanOrEqual(100);
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
        taken -= bytes;
        release();
        release();
      });
      await Promise.all(all);
      expect(begun).toEqual([...begun].sort((a, b) => a - b));
      expect(works.every(({ leaves }, index) => leaves || begun.includes(index))).toBe(true);
      const release = await room.take(100, never); // none was lost
      release();
    },
  );

  it('is not waited for by what never fits, nor by who has left', async () => {
    const room = new Room(10);
    await expect(room.take(11, never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const release = await room.take(10, never);
    const ending = new AbortController();
    const waiting = room.take(5, ending.signal);
    const behind = room.take(3, never);
    ending.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
    release();
    (await behind)();
    (await room.take(10, never))();
  });
});
