import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { followLogs } from '../../src/logs/log-following.ts';
import { scrubLogs } from '../../src/logs/log-scrubbing.ts';
import type { ListOptions, ListPage } from '../../src/storage/contract.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames } from '../flow/fixtures.ts';
import { propertyRuns } from '../property.ts';
import { until } from '../waiting.ts';
import { base, follow, NOTE, path, pause, STORAGES, textOf, writerOn } from './log-fixtures.ts';

/** Listings that show of what is created while they run only what a test wants, as a listing may. */
class RacingLists extends FaultStorage {
  /** What happens while a listing runs. */
  meanwhile: () => Promise<void> = async () => {};
  shows: (name: string) => boolean = () => true;

  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const before = new Set(await objectNames(this.inner));
    await this.meanwhile();
    for await (const page of super.list(options)) {
      yield { ...page, objects: page.objects.filter(({ name }) => before.has(name) || this.shows(name)) };
    }
  }
}

/** Whether all of `pieces` occur in `all`, in this order. */
function isPartOf(pieces: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const piece of pieces) {
    at = all.indexOf(piece, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

describe.each(STORAGES)('followed logs on %s', (_, open) => {
  it('come once and in order while they are written and scrubbed, and nothing since the last note is missing', async () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('stdout', 'stderr') },
      { weight: 1, arbitrary: fc.constant('scrub') },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 20 }),
        fc.array(fc.boolean(), { maxLength: 60 }),
        async (steps, delays) => {
          const storage = await open();
          let calls = 0;
          const slow = new FaultStorage(storage, () =>
            delays[calls++] ? { kind: 'delay', ms: 0 } : undefined,
          );
          const writer = writerOn(slow);
          let isOver = false;
          const following = follow(slow, () => isOver);
          const written: Record<string, string[]> = { stdout: [], stderr: [] };
          for (const [i, stream] of steps.entries()) {
            if (stream === 'scrub') {
              await writer.scrub({}, {});
              for (const one of Object.values(written)) if (one.length > 0) one.push('*');
            } else {
              await writer.append('task', { [stream]: `${i}\n` });
              written[stream]?.push(`${i}\n`);
            }
          }
          isOver = true;
          const given = await following;
          for (const [stream, all] of Object.entries(written)) {
            const pieces = (given.get(`task.${stream}`) ?? []).map((piece) => piece.replace(NOTE, '*'));
            // A scrub of what a note is all of leaves that note.
            const distinct = all.filter((piece, i) => piece !== '*' || all[i - 1] !== '*');
            expect(isPartOf(pieces, distinct)).toBe(true);
            const sinceNote = distinct.slice(Math.max(0, distinct.lastIndexOf('*')));
            expect(pieces.slice(pieces.length - sinceNote.length)).toEqual(sinceNote);
            if (!all.includes('*')) expect(pieces).toEqual(all);
          }
        },
      ),
      { numRuns: propertyRuns },
    );
  });

  it('are chosen by source and stream, and begin where they are told to', async () => {
    const storage = await open();
    const writer = writerOn(storage);
    await writer.append('task', { stdout: 'old', stderr: 'old' });
    await writer.append('runtime', { stdout: 'old' });
    let asked = 0;
    const later = async (choice: Parameters<typeof follow>[2]): Promise<string[]> => {
      asked = 0;
      const given = await follow(storage, () => ++asked > 2, choice);
      return [...given].map(([log, pieces]) => `${log}: ${pieces.join('')}`);
    };
    const all = ['runtime.stdout: old', 'task.stderr: old', 'task.stdout: old'];
    expect(await later({})).toEqual(all);
    expect(await later({ from: 'end' })).toEqual([]);
    expect(await later({ source: 'task' })).toEqual(all.slice(1));
    expect(await later({ stream: 'stdout' })).toEqual([all[0], all[2]]);
    expect(await later({ source: 'task', stream: 'stdout' })).toEqual(all.slice(2));
    let isOver = false;
    asked = 0;
    const isDone = (): boolean => {
      asked += 1;
      return isOver;
    };
    const following = follow(storage, isDone, { from: 'end', source: 'task', stream: 'stdout' });
    await until(() => asked > 1); // it has looked where the end is
    await writer.append('task', { stdout: 'new', stderr: 'new' });
    isOver = true;
    expect([...(await following)]).toEqual([['task.stdout', ['new']]]);
  });
});

describe('a follower', () => {
  it('is not misled by a listing that misses a part and shows a later one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(3), fc.boolean()), { maxLength: 8 }),
        fc.infiniteStream(fc.boolean()),
        async (rounds, coins) => {
          const storage = new MemoryStorage();
          const racing = new RacingLists(storage, () => undefined);
          const writer = writerOn(storage);
          const waiting = [...rounds];
          const all: string[] = [];
          racing.meanwhile = async () => {
            const [appends, scrubs] = waiting.shift() ?? [0, false];
            for (let i = 0; i < appends; i++) {
              all.push(`${all.length};`);
              await writer.append('task', { stdout: all.at(-1) as string });
            }
            if (!scrubs || all.length === 0) return;
            await writer.scrub({}, {});
            all.push('*');
          };
          racing.shows = () => coins.next().value as boolean;
          const given = await follow(racing, () => waiting.length === 0);
          const pieces = (given.get('task.stdout') ?? []).map((piece) => piece.replace(NOTE, '*'));
          expect(isPartOf(pieces, all)).toBe(true);
          if (!all.includes('*')) expect(pieces).toEqual(all);
          else expect(pieces).toContain('*');
        },
      ),
      { numRuns: propertyRuns },
    );
  });

  it('of long logs asks for few pages, and finds logs that are new', async () => {
    const storage = new MemoryStorage();
    const part = (log: string, i: number): Promise<boolean> =>
      storage.create(`${base}${log}.${String(i).padStart(8, '0')}`, Buffer.from(`${i};`));
    for (let i = 0; i < 3500; i++) {
      await part('task.stderr', i);
      await part('task.stdout', i);
    }
    let pages = 0;
    const counted = new FaultStorage(storage, (operation) => {
      if (operation === 'list') pages += 1;
      return undefined;
    });
    const perLook: number[] = [];
    let looks = 0;
    const given = new Map<string, string>();
    const isOver = async (): Promise<boolean> => {
      perLook.push(pages);
      pages = 0;
      looks += 1;
      if (looks === 3) for (const log of ['a.a', 'task.stdmid', 'z.z']) await part(log, 0);
      if (looks === 4) for (const log of ['task.stderr', 'task.stdout']) await part(log, 3500);
      return looks === 5;
    };
    for await (const { source, stream, bytes } of followLogs(counted, path, 0, {}, isOver, { pollMs: 0 })) {
      const log = `${source}.${stream}`;
      given.set(log, (given.get(log) ?? '') + Buffer.from(bytes).toString());
    }
    const all = Array.from({ length: 3501 }, (_, i) => `${i};`).join('');
    expect(Object.fromEntries(given)).toEqual({
      'a.a': '0;',
      'task.stderr': all,
      'task.stdmid': '0;',
      'task.stdout': all,
      'z.z': '0;',
    });
    // A page is asked for once more to learn that there is none.
    const [, first, ...later] = perLook as [number, number, ...number[]];
    expect(first).toBeGreaterThanOrEqual(7);
    for (const asked of [...later, pages]) expect(asked).toBeLessThanOrEqual(6);
  });

  it('of one log begins each listing where it is', async () => {
    const storage = new MemoryStorage();
    const listed: (string | undefined)[] = [];
    class Told extends FaultStorage {
      override list(options: ListOptions): AsyncGenerator<ListPage, void> {
        listed.push(options.startAfter?.slice(base.length));
        return super.list(options);
      }
    }
    const writer = writerOn(storage);
    await writer.append('task', { stdout: 'a' });
    await writer.append('task', { stdout: 'b' });
    await follow(new Told(storage, () => undefined), () => listed.length >= 2, {
      source: 'task',
      stream: 'stdout',
    });
    expect(listed).toEqual([undefined, 'task.stdout.00000001', 'task.stdout.00000001']);
  });

  it('sees what was written just before it learnt that all is over', async () => {
    const storage = new MemoryStorage();
    const writer = writerOn(storage);
    const given: string[] = [];
    const isOver = async (): Promise<boolean> => {
      await writer.append('task', { stdout: 'last words' });
      return true;
    };
    for await (const { bytes } of followLogs(storage, path, 0, {}, isOver, {}))
      given.push(Buffer.from(bytes).toString());
    expect(given).toEqual(['last words']);
  });

  it('of a log that is scrubbed while it reads goes on with the note', async () => {
    const storage = new MemoryStorage();
    const writer = writerOn(storage);
    for (let i = 0; i < 5; i++) await writer.append('task', { stdout: `${i}` });
    const given: string[] = [];
    for await (const { bytes } of followLogs(storage, path, 0, {}, async () => given.length > 3, {
      pollMs: 0,
    })) {
      given.push(Buffer.from(bytes).toString().replace(NOTE, '*'));
      if (given.length === 2) await scrubLogs(storage, path, 0, {}, {});
      if (given.length === 3) await writer.append('task', { stdout: 'on' });
    }
    expect(given).toEqual(['0', '1', '*', 'on']);
    expect((await textOf(storage))?.replace(NOTE, '*')).toBe('*on');
  });

  it('sees a stream while it is logged, and ends when it is told to, even while it waits', async () => {
    const storage = new MemoryStorage();
    const controller = new AbortController();
    const given: string[] = [];
    const following = (async () => {
      const options = { signal: controller.signal, pollMs: 1 };
      for await (const { bytes } of followLogs(storage, path, 0, {}, async () => false, options))
        given.push(Buffer.from(bytes).toString());
    })();
    const talking = async function* (): AsyncGenerator<string> {
      for (const word of ['one', 'two', 'three']) {
        const count = given.length;
        yield word;
        await until(() => given.length > count);
      }
    };
    await writerOn(storage).append('task', { stdout: talking() }, { flushMs: 0 });
    expect(given).toEqual(['one', 'two', 'three']);
    controller.abort('enough');
    expect((await errorOf(following, 'ABORTED')).cause).toBe('enough');
    const waiting = new AbortController();
    const slow = followLogs(storage, path, 0, { from: 'end' }, async () => false, {
      signal: waiting.signal,
      pollMs: 2 ** 31 - 1,
    });
    const next = slow.next();
    await pause(5);
    waiting.abort();
    await errorOf(next, 'ABORTED');
  });

  it.each<[string, object, object]>([
    ['from', { from: 'middle' }, {}],
    ['pollMs', {}, { pollMs: -1 }],
    ['pollMs', {}, { pollMs: Number.NaN }],
    ['pollMs', {}, { pollMs: Number.POSITIVE_INFINITY }],
  ])('refuses a %s that means nothing', async (what, choice, options) => {
    const following = followLogs(new MemoryStorage(), path, 0, choice, async () => true, options);
    expect((await errorOf(following.next(), 'INVALID_ARGUMENT')).message).toContain(what);
  });

  it('refuses names that no log has', async () => {
    const following = followLogs(new MemoryStorage(), path, 0, { source: 'a.b' }, async () => true, {});
    await errorOf(following.next(), 'INVALID_NAME');
  });
});
