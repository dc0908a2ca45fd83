import { type } from 'arktype';
import * as v from 'valibot';
import { beforeEach, describe, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { CachedTask } from '../../src/cached-tasks/cached-task.ts';
import type { StandardSchema } from '../../src/flow/standard-schema.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { openFlow } from '../flow/fixtures.ts';

const base = { name: 't', version: '1' };
let flow: FlowDataStore;

beforeEach(async () => {
  flow = await openFlow();
});

describe('a function beside an output schema', () => {
  it('has to return what the schema takes, and the call gives what the schema makes of it', () => {
    const withZod = flow.cachedTask({ ...base, output: z.number().transform(String), run: async () => 1 });
    expectTypeOf(withZod).returns.resolves.toEqualTypeOf<string>();
    const digits = v.pipe(v.string(), v.transform(Number));
    const withValibot = flow.cachedTask({ ...base, output: digits, run: () => '1' });
    expectTypeOf(withValibot).returns.resolves.toEqualTypeOf<number>();
    const numeric = type('string.numeric.parse');
    const withArktype = flow.cachedTask({ ...base, output: numeric, run: async () => '1' });
    expectTypeOf(withArktype).returns.resolves.toEqualTypeOf<number>();
    // @ts-expect-error The schema takes a number.
    flow.cachedTask({ ...base, output: z.number().transform(String), run: () => 'x' });
    // @ts-expect-error The same, later.
    flow.cachedTask({ ...base, output: z.number().transform(String), run: async () => 'x' });
    // @ts-expect-error The schema takes a text.
    flow.cachedTask({ ...base, output: digits, run: async () => 1 });
    // @ts-expect-error The schema takes a text.
    flow.cachedTask({ ...base, output: numeric, run: () => 1 });
    // @ts-expect-error It may be a text.
    flow.cachedTask({ ...base, output: z.number(), run: (): string | number => 1 });
  });

  it('is told of what is wrong inside, and of what is missing', () => {
    const rows = z.object({ rows: z.array(z.object({ id: z.number() })) });
    flow.cachedTask({ ...base, output: rows, run: async () => ({ rows: [{ id: 1, more: 'x' }] }) });
    // @ts-expect-error An id is a number.
    flow.cachedTask({ ...base, output: rows, run: async () => ({ rows: [{ id: 'x' }] }) });
    // @ts-expect-error There are no rows.
    flow.cachedTask({ ...base, output: rows, run: async () => ({ row: [] }) });
    // @ts-expect-error Nothing is returned.
    flow.cachedTask({ ...base, output: v.object({ a: v.number() }), run: async () => {} });
    // @ts-expect-error A is a number.
    flow.cachedTask({ ...base, output: type({ a: 'number' }), run: () => ({ a: 'x' }) });
    // @ts-expect-error Values are dates.
    flow.cachedTask({ ...base, output: z.map(z.string(), z.date()), run: () => new Map([['a', 1]]) });
  });

  it('need not say that its literals are literals, and may leave out what has a default', () => {
    const grade = z.object({ grade: z.enum(['good', 'bad']), at: z.tuple([z.number(), z.string()]) });
    const run = async (n: number) => ({ grade: n > 1 ? 'good' : 'bad', at: [n, 'x'] });
    const graded = flow.cachedTask({ ...base, output: grade, run });
    expectTypeOf(graded).returns.resolves.toEqualTypeOf<{ grade: 'good' | 'bad'; at: [number, string] }>();
    const given = flow.cachedTask({
      ...base,
      output: v.object({ n: v.optional(v.number(), 1) }),
      run: () => ({}),
    });
    expectTypeOf(given).returns.resolves.toEqualTypeOf<{ n: number }>();
    const any = flow.cachedTask({ ...base, output: z.coerce.number(), run: () => '5' });
    expectTypeOf(any).returns.resolves.toEqualTypeOf<number>();
    const binary = flow.cachedTask({
      ...base,
      output: z.instanceof(Uint8Array),
      run: () => Buffer.from('a'),
    });
    expectTypeOf(binary).returns.resolves.toExtend<Uint8Array>();
  });

  it('may be of a type that a generic caller gives', () => {
    const wrap = <T>(output: StandardSchema<T, T>, run: () => Promise<T>): CachedTask<unknown, T> =>
      flow.cachedTask({ ...base, output, run });
    expectTypeOf(wrap(z.number(), async () => 1)).returns.resolves.toEqualTypeOf<number>();
    const wrapZod = <S extends z.ZodType>(output: S, run: () => z.input<S>) =>
      flow.cachedTask({ ...base, output, run });
    expectTypeOf(wrapZod(z.number(), () => 1)).returns.resolves.toEqualTypeOf<number>();
  });

  it('returns what it likes where there is none', () => {
    const plain = flow.cachedTask({ ...base, run: async (n: number) => ({ n }) });
    expectTypeOf(plain).parameter(0).toEqualTypeOf<number>();
    expectTypeOf(plain).returns.resolves.toEqualTypeOf<{ n: number }>();
    const told = flow.cachedTask<number, string>({ ...base, run: (n) => String(n) });
    expectTypeOf(told).returns.resolves.toEqualTypeOf<string>();
    expectTypeOf(flow.cachedTask({ ...base, run: () => {} })).returns.resolves.toEqualTypeOf<void>();
  });
});
