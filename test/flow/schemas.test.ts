import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { StandardSchema } from '../../src/flow/standard-schema.ts';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import { errorOf, openFlow, saveTask } from './fixtures.ts';

async function taskWith(artifacts: Record<string, unknown>): Promise<TaskDataStore> {
  const flow = await openFlow();
  return flow.getTaskDataStore(await saveTask(flow, artifacts));
}

/** What `loadTyped` says is wrong: paths, and whatever the library says. */
async function issuesOf(schema: StandardSchema, value: unknown): Promise<unknown> {
  const task = await taskWith({ report: value });
  const error = await errorOf(task.loadTyped({ report: schema }), 'ARTIFACT_INVALID');
  expect(error.message).toMatch(/^Artifact report is not what its schema asks for: report/);
  expect(error.details.artifact).toBe('report');
  return error.details.issues;
}

/** The same schema in each library: a score as text, which becomes a number, and a label that has a default. */
const schemas = {
  zod: z.object({ score: z.string().transform(Number), label: z.string().default('none') }),
  valibot: v.object({
    score: v.pipe(v.string(), v.transform(Number)),
    label: v.optional(v.string(), 'none'),
  }),
  arktype: type({ score: type('string').pipe(Number), label: 'string = "none"' }),
};

describe('the output of a schema', () => {
  it('is what is loaded, transforms and defaults included, and its type', async () => {
    const task = await taskWith({ report: { score: '0.5' } });
    const { report: zod } = await task.loadTyped({ report: schemas.zod });
    const { report: valibot } = await task.loadTyped({ report: schemas.valibot });
    const { report: arktype } = await task.loadTyped({ report: schemas.arktype });
    expect([zod, valibot, arktype]).toEqual(new Array(3).fill({ score: 0.5, label: 'none' }));
    expectTypeOf(zod).toEqualTypeOf<{ score: number; label: string }>();
    expectTypeOf(valibot).toEqualTypeOf<{ score: number; label: string }>();
    expectTypeOf(arktype).toEqualTypeOf<{ score: number; label: string }>();
  });

  it('is one for each artifact, of any library', async () => {
    const task = await taskWith({ a: 1, b: 'two', c: [3n], d: new Map([['k', new Date(0)]]), left: 'out' });
    const loaded = await task.loadTyped({
      a: z.number(),
      b: v.picklist(['two', 'three']),
      c: type('bigint[]'),
      d: z.map(z.string(), z.date()),
    });
    expect(loaded).toEqual({ a: 1, b: 'two', c: [3n], d: new Map([['k', new Date(0)]]) });
    expectTypeOf(loaded).toEqualTypeOf<{
      a: number;
      b: 'two' | 'three';
      c: bigint[];
      d: Map<string, Date>;
    }>();
  });

  it('may take a while', async () => {
    const task = await taskWith({ name: 'abc' });
    const loaded = await task.loadTyped({ name: z.string().transform(async (text) => text.length) });
    expectTypeOf(loaded).toEqualTypeOf<{ name: number }>();
    expect(loaded).toEqual({ name: 3 });
    const { name } = await task.loadTyped({
      name: v.pipeAsync(
        v.string(),
        v.transformAsync(async (text) => [text]),
      ),
    });
    expectTypeOf(name).toEqualTypeOf<string[]>();
    expect(name).toEqual(['abc']);
  });

  it('leaves the artifact as it is', async () => {
    const task = await taskWith({ report: { score: '0.5' } });
    await task.loadTyped({ report: schemas.zod });
    expect(await task.get('report')).toEqual({ score: '0.5' });
  });
});

describe('an artifact that is not what its schema asks for', () => {
  const rows = [{ id: 1 }, { id: 'two' }];

  it.each<[string, StandardSchema]>([
    ['zod', z.object({ 'the rows': z.array(z.object({ id: z.number() })), name: z.string() })],
    ['valibot', v.object({ 'the rows': v.array(v.object({ id: v.number() })), name: v.string() })],
    ['arktype', type({ 'the rows': type({ id: 'number' }).array(), name: 'string' })],
  ])('is reported with every path by %s', async (_library, schema) => {
    const issues = await issuesOf(schema, { 'the rows': rows, name: 7 });
    expect(issues).toHaveLength(2);
    expect(issues).toEqual(
      expect.arrayContaining([
        { path: 'report["the rows"][1].id', message: expect.stringMatching(/number/i) },
        { path: 'report.name', message: expect.stringMatching(/string/i) },
      ]),
    );
  });

  it.each<[string, StandardSchema]>([
    ['zod', z.string()],
    ['valibot', v.string()],
    ['arktype', type('string')],
  ])('is named where all of it is wrong, by %s', async (_library, schema) => {
    expect(await issuesOf(schema, 1)).toEqual([
      { path: 'report', message: expect.stringMatching(/string/i) },
    ]);
  });

  it.each<[string, StandardSchema]>([
    ['zod', z.string().refine(async () => false, 'not free')],
    [
      'valibot',
      v.pipeAsync(
        v.string(),
        v.checkAsync(async () => false, 'not free'),
      ),
    ],
  ])('is found by what %s awaits', async (_library, schema) => {
    expect(await issuesOf(schema, 'abc')).toEqual([{ path: 'report', message: 'not free' }]);
  });

  it('is reported by the first of very many issues, of which the details have all', async () => {
    const flow = await openFlow();
    const task = await flow.getTaskDataStore(await saveTask(flow, { list: Array(1000).fill('x') }));
    const error = await errorOf(task.loadTyped({ list: z.array(z.number()) }), 'ARTIFACT_INVALID');
    expect(error.message).toMatch(/list\[9\]: [^;]*; and 990 more$/);
    expect(error.details.issues).toHaveLength(1000);
  });

  it.each([
    ['has no result', undefined, 'cannot be checked: its schema threw TypeError: its answer is no result'],
    ['gives no reason', { issues: [] }, 'is not what its schema asks for: it does not say why.'],
  ])('is reported by a schema that %s', async (_, result, said) => {
    const flow = await openFlow();
    const task = await flow.getTaskDataStore(await saveTask(flow, { a: 1 }));
    const schema = { '~standard': { version: 1, vendor: 'odd', validate: () => result } };
    const error = await errorOf(task.loadTyped({ a: schema as StandardSchema }), 'ARTIFACT_INVALID');
    expect(error.message).toBe(`Artifact a ${said}`);
  });

  it('is reported by the keys of a Map, and as a whole where a Set has no keys', async () => {
    const byDate = v.map(v.date(), v.number());
    expect(await issuesOf(byDate, new Map([[new Date(0), 'b']]))).toMatchObject([
      { path: 'report["1970-01-01T00:00:00.000Z"]' },
    ]);
    expect(await issuesOf(v.map(v.string(), v.number()), new Map([['a', 'b']]))).toMatchObject([
      { path: 'report.a' },
    ]);
    expect(await issuesOf(v.object({ tags: v.set(v.number()) }), { tags: new Set(['b']) })).toMatchObject([
      { path: 'report.tags' },
    ]);
  });

  it.each<[string, StandardSchema]>([
    ['zod', z.string().transform(fail)],
    ['valibot', v.pipe(v.string(), v.transform(fail))],
    ['arktype', type('string').pipe(fail)],
  ])('may have its schema of %s throw', async (_library, schema) => {
    const task = await taskWith({ report: 'x' });
    const error = await errorOf(task.loadTyped({ report: schema }), 'ARTIFACT_INVALID');
    expect(error.message).toBe('Artifact report cannot be checked: its schema threw Error: boom');
    expect(error).toMatchObject({ cause: new Error('boom'), details: { artifact: 'report' } });
  });

  it('is one that is not there', async () => {
    const task = await taskWith({ a: 1 });
    const error = await errorOf(task.loadTyped({ a: z.number(), b: z.number() }), 'ARTIFACT_NOT_FOUND');
    expect(error.details.artifact).toBe('b');
  });
});

function fail(): never {
  throw new Error('boom');
}
