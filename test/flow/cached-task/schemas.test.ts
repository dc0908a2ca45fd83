import { type } from 'arktype';
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
