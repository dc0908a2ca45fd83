import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { CachedResult } from '../../src/cached-tasks/result.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames, openFlow } from '../flow/fixtures.ts';

it('a key is made of the parsed input, the function gets it, and what it returned is stored as it is', async () => {
  const flow = await openFlow();
  const inputs: unknown[] = [];
  const task = flow.cachedTask({
    name: 'typed',
    version: '1',
    interfaceVersion: '1',
    input: z.object({ n: z.coerce.number(), top: z.number().default(3) }),
    output: z.object({ text: z.string() }).transform((value) => ({ text: `${value.text}!`, parsed: 1 })),
    run: async (input) => {
      inputs.push(input);
      return { text: 'x', more: 1 };
    },
  });
  const first = await task({ n: '2' });
  expectTypeOf(first).toEqualTypeOf<{ parsed: number; text: string }>();
  expect(first).toEqual({ text: 'x!', parsed: 1 });
  // Parsed once, not what was parsed before.
  const hit = await task.detailed({ n: 2, top: 3 });
  expect(hit).toMatchObject({ hit: true, value: { text: 'x!', parsed: 1 } });
  expect(inputs).toEqual([{ n: 2, top: 3 }]);
  const attempt = await flow.getTaskDataStore(String(hit.provenance?.pathspec));
  expect((await attempt.loadArtifacts(['output'])).output).toEqual({ text: 'x', more: 1 });
});

it('an input that fails its schema runs nothing, and an output that does is not cached; both are told by task and path', async () => {
  const flow = await openFlow();
  let runs = 0;
  const task = flow.cachedTask({
    name: 'strict',
    version: '1',
    input: type({ rows: type({ id: 'number' }).array() }),
    output: type({ total: 'number' }),
    run: async () => {
      runs += 1;
      return { total: 'many' as never };
    },
  });
  const input = await errorOf(task({ rows: [{ id: 1 }, { id: 'x' as never }] }), 'INPUT_INVALID');
  expect(input.message).toContain('"strict"');
  expect(input.message).toContain('input.rows[1].id');
  expect(runs).toBe(0);
  const output = await errorOf(task({ rows: [] }, { runId: 'r1' }), 'OUTPUT_INVALID');
  expect(output.message).toContain('output.total');
  expect(await objectNames(flow.storage, 'cache/')).toEqual([]);
  const [attempt] = await flow.getTaskDataStores({ runId: 'r1', allowNotDone: true });
  expect(attempt?.error?.message).toContain('output.total');
});

describe('an output schema whose change its JSON Schema does not tell', () => {
  const stored = z.object({ text: z.string(), n: z.number() });
  const of = (schema: z.ZodType<unknown, { text: string; n: number }>) => schema;
  /** Calls a task by each of the schemas in turn, in flows of their own. */
  const resultsBy = async (schemas: unknown[], serialize = false) => {
    const storage = new MemoryStorage();
    const results: Partial<CachedResult<unknown>>[] = [];
    let runs = 0;
    for (const output of schemas as (typeof stored)[]) {
      const flow = await openFlow({ storage });
      const run = () => ({ text: ' a ', n: ++runs });
      const options = { name: 't', version: '1', interfaceVersion: '1', serialize, output, run };
      const { value, hit, stored, missReason } = await flow.cachedTask(options).detailed(0);
      results.push({ value, hit, stored, missReason });
    }
    return results;
  };

  it.each<[string, unknown, unknown]>([
    ['a transform', of(stored.transform(({ n }) => n + 1)), 2],
    ['a conversion of text', stored.extend({ text: z.string().trim().toUpperCase() }), { text: 'A', n: 1 }],
    ['a default', stored.extend({ more: z.number().default(7) }), { text: ' a ', n: 1, more: 7 }],
    [
      'a codec',
      stored.extend({
        n: z.codec(z.number(), z.string(), { decode: (n) => `no. ${n}`, encode: (text) => Number(text) }),
      }),
      { text: ' a ', n: 'no. 1' },
    ],
    ['a coercion', stored.extend({ n: z.coerce.string() as never }), { text: ' a ', n: '1' }],
    [
      'one of valibot',
      v.pipe(
        v.object({ n: v.number() }),
        v.transform(({ n }) => -n),
      ),
      -1,
    ],
    ['one of arktype', type({ text: 'string.trim', n: 'number' }), { text: 'a', n: 1 }],
  ])('%s counts for hits, once', async (_, schema, value) => {
    const hit = { value, hit: true, stored: true, missReason: undefined };
    expect((await resultsBy([stored, schema, schema])).slice(1)).toEqual([hit, hit]);
    // Whichever was first: what is stored is what the function returned.
    expect((await resultsBy([schema, stored]))[1]).toMatchObject({ value: { text: ' a ', n: 1 }, hit: true });
  });

  it.each([false, true])(
    'a refinement that refuses the result makes it a miss, and it is replaced (serialize: %s)',
    async (serialize) => {
      const other = stored.refine(({ n }) => n === 2, 'not the second');
      const [, missed, hit] = await resultsBy([stored, other, other], serialize);
      expect(missed).toEqual({
        value: { text: ' a ', n: 2 },
        hit: false,
        stored: true,
        missReason: 'refused',
      });
      expect(hit).toMatchObject({ value: { text: ' a ', n: 2 }, hit: true });
    },
  );

  it('counts for calls under way together, too, which run once', async () => {
    const flow = await openFlow();
    let runs = 0;
    const by = (output: z.ZodType<unknown, { text: string; n: number }>) =>
      flow.cachedTask({ name: 't', version: '1', interfaceVersion: '1', output, run })(0);
    const run = async () => ({ text: ' a ', n: ++runs });
    const calls = [stored, stored.transform(({ n }) => n + 1), stored, stored.transform(({ text }) => text)];
    expect(await Promise.all(calls.map(by))).toEqual([
      { text: ' a ', n: 1 },
      2,
      { text: ' a ', n: 1 },
      ' a ',
    ]);
  });

  it('counts for those who ask anew together, which run once, and for one whose own does not refuse', async () => {
    const flow = await openFlow();
    let runs = 0;
    const run = async () => ({ text: ' a ', n: ++runs });
    const by = (output: z.ZodType<unknown, { text: string; n: number }>) =>
      flow.cachedTask({ name: 't', version: '1', interfaceVersion: '1', output, run });
    const own = Array.from({ length: 8 }, (_, k) => stored.transform(({ n }) => n * k));
    expect(await Promise.all(own.map((output) => by(output)(0, { mode: 'refresh' })))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
    const strict = by(stored.refine(() => false));
    const calls = [strict(1), by(stored.transform(({ text }) => text))(1), strict(1)];
    const [refused, taken, refusedToo] = await Promise.allSettled(calls);
    expect([refused, refusedToo]).toMatchObject(Array(2).fill({ reason: { code: 'OUTPUT_INVALID' } }));
    expect(taken).toMatchObject({ value: ' a ' });
    expect(runs).toBe(3);
  });

  it('a schema that throws makes it a miss, whose run tells it', async () => {
    const thrower = stored.transform(() => {
      throw new Error('no');
    });
    await expect(resultsBy([stored, thrower])).rejects.toThrow(/result of task "t" cannot be checked.*no/);
  });
});

it('a schema that changes makes other keys, and one whose descriptions change does not', async () => {
  const flow = await openFlow();
  const keyOf = async (schema: z.ZodType<{ n: number }, { n: number }>) =>
    (await flow.cachedTask({ name: 't', version: '1', input: schema, run: () => 1 }).keyOf({ n: 1 })).key;
  const plain = await keyOf(z.object({ n: z.number() }));
  expect(await keyOf(z.object({ n: z.number().describe('how many') }))).toBe(plain);
  expect(await keyOf(z.object({ n: z.number().max(9) }))).not.toBe(plain);
});

it('types are those of the schemas: what is passed, what the function gets, what it returns, what comes out', async () => {
  const flow = await openFlow();
  const withZod = flow.cachedTask({
    name: 'zod',
    version: '1',
    input: z.object({ n: z.string().transform(Number) }),
    output: z.number().transform(String),
    interfaceVersion: '1',
    run: (input) => {
      expectTypeOf(input).toEqualTypeOf<{ n: number }>();
      return input.n * 2;
    },
  });
  expectTypeOf(withZod).parameter(0).toEqualTypeOf<{ n: string }>();
  expect([await withZod({ n: '2' }), await withZod({ n: '2' })]).toEqual(['4', '4']);
  expectTypeOf(await withZod({ n: '2' })).toEqualTypeOf<string>();
  const withValibot = flow.cachedTask({
    name: 'valibot',
    version: '1',
    input: v.object({ n: v.optional(v.number(), 5) }),
    output: v.object({ twice: v.number() }),
    run: (input) => {
      expectTypeOf(input).toEqualTypeOf<{ n: number }>();
      return { twice: input.n * 2, more: 'is left out' };
    },
  });
  expectTypeOf(withValibot).parameter(0).toEqualTypeOf<{ n?: number | undefined }>();
  expect([await withValibot({}), await withValibot({ n: 5 })]).toEqual([{ twice: 10 }, { twice: 10 }]);
  expect((await withValibot.detailed({ n: 5 })).hit).toBe(true);
  const withArktype = flow.cachedTask({
    name: 'arktype',
    version: '1',
    input: type({ n: 'string.numeric.parse' }),
    output: type({ twice: 'number' }),
    interfaceVersion: '1',
    run: (input) => {
      expectTypeOf(input).toEqualTypeOf<{ n: number }>();
      return { twice: input.n * 2 };
    },
  });
  expectTypeOf(withArktype).parameter(0).toEqualTypeOf<{ n: string }>();
  expect(await withArktype({ n: '21' })).toEqual({ twice: 42 });
  const without = flow.cachedTask({ name: 'none', version: '1', run: () => new Map<string, number>() });
  expectTypeOf(await without()).toEqualTypeOf<Map<string, number>>();
  // @ts-expect-error The input is not optional.
  await errorOf(withZod(), 'INPUT_INVALID');
});
