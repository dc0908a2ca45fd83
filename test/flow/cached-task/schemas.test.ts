import { type } from 'arktype';
import * as v from 'valibot';
import { expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { errorOf, objectNames, openFlow } from '../fixtures.ts';

it('a key is made of the parsed input, the function gets it, and a parsed output is not parsed again', async () => {
  const flow = await openFlow();
  const inputs: unknown[] = [];
  let parsed = 0;
  const task = flow.cachedTask({
    name: 'typed',
    version: '1',
    interfaceVersion: '1',
    input: z.object({ n: z.coerce.number(), top: z.number().default(3) }),
    output: z.object({ text: z.string() }).transform((value) => {
      parsed += 1;
      return { ...value, parsed };
    }),
    run: async (input) => {
      inputs.push(input);
      return { text: 'x', more: 1 };
    },
  });
  const first = await task({ n: '2' });
  expectTypeOf(first).toEqualTypeOf<{ parsed: number; text: string }>();
  expect(first).toEqual({ text: 'x', parsed: 1 });
  expect(await task({ n: 2, top: 3 })).toEqual({ text: 'x', parsed: 1 });
  expect(inputs).toEqual([{ n: 2, top: 3 }]);
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
