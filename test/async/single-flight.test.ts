import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SingleFlight } from '../../src/async/single-flight.ts';
import { propertyRuns, test } from '../property.ts';

class Circular extends Error {
  readonly titles: readonly string[];
  constructor(titles: readonly string[]) {
    super(titles.join(' '));
    this.titles = titles;
  }
}

const circular = (titles: readonly string[]): Error => new Circular(titles);

function fly<T>(flights: SingleFlight<T>, key: string, work: () => Promise<T>): Promise<T> {
  return flights.run(key, work, { signal: undefined, title: key, circular });
}

describe('work that would join what waits for it', () => {
  it('is refused, with the way round', async () => {
    const flights = new SingleFlight<string>();
    const others = new SingleFlight<string>();
    const call = (of: SingleFlight<string>, key: string, next: () => Promise<string>): Promise<string> =>
      fly(of, key, async () => {
        await setImmediate();
        return next();
      });
    // Of two stores, each begun by itself.
    const a = (): Promise<string> => call(flights, 'a', b);
    const b = (): Promise<string> => call(others, 'b', c);
    const c = (): Promise<string> => call(flights, 'c', a);
    const ends = await Promise.allSettled([a(), b(), c()]);
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    const { reason } = ends[0] as PromiseRejectedResult;
    expect(reason).toBeInstanceOf(Circular);
    expect([...reason.titles].sort()).toEqual(['a', 'b', 'c']);
  });

  it('is not refused where the one it joins has ended, or waits for something else', async () => {
    const flights = new SingleFlight<number>();
    let begin = (_: unknown): void => {};
    const begun = new Promise((resolve) => {
      begin = resolve;
    });
    let pool: Promise<number> | undefined;
    const first = await fly(flights, 'first', async () => {
      // Goes on after the end, and joins work that calls another one of the same name.
      pool = begun.then(async () => fly(flights, 'second', async () => 2));
      return 1;
    });
    const again = fly(flights, 'second', async () => {
      begin(undefined);
      await setImmediate();
      return fly(flights, 'first', async () => setImmediate(3));
    });
    expect([first, await again]).toEqual([1, 3]);
    expect(await pool).toBe(3);
    const shared = (): Promise<number> => fly(flights, 'shared', async () => setImmediate(4));
    const sum = await Promise.all(
      ['x', 'y'].map((key) => fly(flights, key, async () => (await shared()) + (await shared()))),
    );
    expect(sum).toEqual([8, 8]);
  });
});

test.prop([fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 12 })], { numRuns: propertyRuns })(
  'calls end, whatever calls what, and by a result wherever nothing goes round',
  async (edges) => {
    const flights = new SingleFlight<number>();
    const callees = (of: number): number[] => edges.filter(([from]) => from === of).map(([, to]) => to);
    const call = (of: number): Promise<number> =>
      fly(flights, String(of), async () => {
        await setImmediate();
        await Promise.all(callees(of).map(call));
        return of;
      });
    const reaches = (from: number, to: number, seen = new Set<number>()): boolean =>
      callees(from).some((next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))));
    const all = [...Array(6).keys()];
    const ends = await Promise.allSettled(all.map(call));
    const isRound = all.map((of) => all.some((on) => reaches(on, on) && (on === of || reaches(of, on))));
    expect(ends.map(({ status }) => status === 'rejected')).toEqual(isRound);
  },
);
