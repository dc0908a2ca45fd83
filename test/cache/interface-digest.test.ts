import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { cacheKey } from '../../src/cache/cache-key.ts';
import { canonicalSchema, type JsonSchema, type TaskSchemas } from '../../src/cache/interface-digest.ts';
import { convertSchemas, jsonSchemasOf, type SchemaPair } from '../../src/cache/json-schemas.ts';
import { isStowageError, type StowageError } from '../../src/errors.ts';

function keyOf(schemas: TaskSchemas): string {
  return cacheKey({ taskName: 'judge', version: '1', input: 0, interface: schemas }).key;
}

async function libraryKey(schemas: SchemaPair): Promise<string> {
  return keyOf(await jsonSchemasOf('judge', schemas));
}

async function refusal(schemas: SchemaPair): Promise<StowageError> {
  const error = await jsonSchemasOf('judge', schemas).catch((fault: unknown) => fault);
  if (isStowageError(error)) return error;
  throw new Error('it was not refused', { cause: error });
}

describe('an interface by its JSON Schemas', () => {
  const base = {
    type: 'object',
    properties: { title: { type: 'string' }, n: { type: ['number', 'null'], enum: [1, 2, null] } },
    required: ['title', 'n'],
  };

  it.each<[string, JsonSchema]>([
    [
      'descriptions',
      { ...base, description: 'd', title: 't', $comment: 'c', examples: [1], $schema: 's', $id: 'i' },
    ],
    [
      'descriptions inside',
      {
        ...base,
        properties: { ...base.properties, title: { type: 'string', title: 'T', deprecated: true } },
      },
    ],
    ['the order of keys', { required: base.required, properties: base.properties, type: 'object' }],
    [
      'the order of properties',
      { ...base, properties: { n: base.properties.n, title: base.properties.title } },
    ],
    [
      'the order of names, types and alternatives that have none',
      {
        ...base,
        required: ['n', 'title'],
        properties: { ...base.properties, n: { type: ['null', 'number'], enum: [null, 2, 1] } },
      },
    ],
    ['definitions that nothing refers to', { ...base, $defs: { unused: { type: 'string' } } }],
  ])('is not changed by %s', (_, schema) => {
    expect(keyOf({ input: schema })).toBe(keyOf({ input: base }));
    expect(keyOf({ output: schema })).toBe(keyOf({ output: base }));
    expect(keyOf({ input: { items: schema } })).toBe(keyOf({ input: { items: base } }));
  });

  it.each<[string, JsonSchema]>([
    ['a type', { ...base, type: 'array' }],
    ['a property that is called title', { ...base, properties: { n: base.properties.n } }],
    [
      'what a property called description asks for',
      { ...base, properties: { ...base.properties, description: { type: 'string' } } },
    ],
    ['what is required', { ...base, required: ['n'] }],
    ['a default', { ...base, properties: { ...base.properties, title: { type: 'string', default: 'x' } } }],
    ['a constant that looks like a description', { ...base, const: { description: 'x' } }],
    ['additional properties', { ...base, additionalProperties: false }],
    ['an extension', { ...base, 'x-unit': 'ms' }],
  ])('is changed by %s', (_, schema) => {
    expect(keyOf({ input: schema })).not.toBe(keyOf({ input: base }));
  });

  it('knows definitions by what they say, not by their names', () => {
    const named = (name: string): JsonSchema => ({
      $ref: `#/$defs/${name}`,
      $defs: {
        [name]: {
          type: 'object',
          properties: { next: { $ref: `#/$defs/${name}` }, a: { $ref: '#/$defs/z' } },
        },
        z: { type: 'string' },
      },
    });
    expect(keyOf({ input: named('node') })).toBe(keyOf({ input: named('intersection229') }));
    expect(canonicalSchema(named('node'))).toEqual({
      schema: { $ref: 0 },
      definitions: [
        { type: 'object', properties: { next: { $ref: 0 }, a: { $ref: 1 } } },
        { type: 'string' },
      ],
    });
    const other = { ...(named('node') as object), $defs: { node: { type: 'string' } } };
    expect(keyOf({ input: other })).not.toBe(keyOf({ input: named('node') }));
  });

  it('may refer to itself, to names with slashes, and elsewhere', () => {
    expect(canonicalSchema({ type: 'array', items: { $ref: '#' } })).toEqual({
      schema: { type: 'array', items: { $ref: 0 } },
      definitions: [{ type: 'array', items: { $ref: 0 } }],
    });
    const slashed = { $ref: '#/$defs/a~1b%20c', $defs: { 'a/b c': { type: 'string' } } };
    expect(canonicalSchema(slashed)).toEqual({ schema: { $ref: 0 }, definitions: [{ type: 'string' }] });
    for (const document of [{ $ref: 'https://example.com/s' }, { $ref: '#/nowhere' }, { $ref: '#/%' }]) {
      expect(canonicalSchema(document)).toEqual({ document });
    }
  });

  it.each<[string, (item: object) => JsonSchema]>([
    ['$anchor', (item) => ({ $ref: '#item', $defs: { a: { $anchor: 'item', ...item } } })],
    ['$id', (item) => ({ $ref: 'item', $defs: { a: { $id: 'item', ...item } } })],
    ['id', (item) => ({ $ref: 'item', definitions: { a: { id: 'item', ...item } } })],
    [
      'an address',
      (item) => ({ $id: 'https://a.b/c', items: { $ref: 'https://a.b/c#/$defs/a' }, $defs: { a: item } }),
    ],
    [
      '$dynamicRef',
      (item) => ({ items: { $dynamicRef: '#item' }, $defs: { a: { $dynamicAnchor: 'item', ...item } } }),
    ],
    [
      '$recursiveRef',
      (item) => ({ items: { $recursiveRef: '#' }, $recursiveAnchor: true, $defs: { a: item } }),
    ],
    ['dependencies', (item) => ({ dependencies: { x: { $ref: '#/$defs/a' } }, $defs: { a: item } })],
    [
      'dependencies of names',
      (item) => ({ dependencies: { x: ['y'], z: { $ref: '#/$defs/a' } }, $defs: { a: item } }),
    ],
    ['a keyword that is not known', (item) => ({ 'x-of': [{ $ref: '#/$defs/a' }], $defs: { a: item } })],
    [
      'a type, as draft 3 has it',
      (item) => ({ type: ['string', { $ref: '#/$defs/a' }], $defs: { a: item } }),
    ],
    [
      'a pointer inside of a schema with an $id of its own',
      (item) => ({
        $defs: { a: { type: 'null' } },
        items: { $id: 'inner', items: { $ref: '#/$defs/a' }, $defs: { a: item } },
      }),
    ],
    [
      'a definition behind another one',
      (item) => ({
        $ref: '#/$defs/a',
        $defs: { a: { items: { $ref: '#b' } }, b: { $anchor: 'b', ...item } },
      }),
    ],
  ])('knows definitions that are reached by %s', (_, schemaOf) => {
    const keys = [{ type: 'string' }, { type: 'number' }].map((item) => keyOf({ input: schemaOf(item) }));
    expect(new Set(keys).size).toBe(2);
    expect(keyOf({ input: schemaOf({ type: 'string' }) })).toBe(keys[0]);
  });
});

describe('the JSON Schemas of libraries', () => {
  it.each<[string, () => SchemaPair, () => SchemaPair]>([
    [
      'valibot',
      () => ({ input: v.object({ a: v.string(), n: v.number() }) }),
      () => ({ input: v.object({ n: v.pipe(v.number(), v.description('a number')), a: v.string() }) }),
    ],
    [
      'zod',
      () => ({ input: z.object({ a: z.string(), n: z.number() }) }),
      () => ({ input: z.object({ n: z.number().describe('a number'), a: z.string().meta({ title: 'A' }) }) }),
    ],
    [
      'arktype',
      () => ({ input: type({ a: 'string', n: 'number' }) }),
      () => ({ input: type({ n: type('number').describe('a number'), a: 'string' }) }),
    ],
  ])('of %s: descriptions and order do not count', async (_, plain, described) => {
    expect(await libraryKey(plain())).toBe(await libraryKey(described()));
  });

  it('are alike where the libraries agree', async () => {
    expect(await libraryKey({ input: z.object({ a: z.string() }) })).toBe(
      await libraryKey({ input: type({ a: 'string' }) }),
    );
  });

  it('are of what is taken, and of what is given', async () => {
    const text = z.string().transform((s) => s.length);
    expect(await jsonSchemasOf('judge', { input: text })).toMatchObject({ input: { type: 'string' } });
    const parsed = type('string.numeric.parse');
    expect(await jsonSchemasOf('judge', { input: parsed, output: parsed })).toMatchObject({
      input: { type: 'string' },
      output: { type: 'number' },
    });
    expect(await jsonSchemasOf('judge', {})).toEqual({ input: undefined, output: undefined });
  });

  it('keep recursive types, whatever their definitions are called', async () => {
    const tree = (): SchemaPair => {
      const Node = z.object({
        v: z.number(),
        get kids() {
          return z.array(Node);
        },
      });
      return { input: z.object({ left: Node, right: Node }) };
    };
    expect(await libraryKey(tree())).toBe(await libraryKey(tree()));
    const nodes = (): SchemaPair => ({ input: type.module({ node: { v: 'number', 'kid?': 'node' } }).node });
    expect(await libraryKey(nodes())).toBe(await libraryKey(nodes()));
  });

  it('leave out what has no JSON Schema beside a type: refinements', async () => {
    const refined = z.string().refine((text) => text.length > 3);
    expect(await libraryKey({ input: refined })).toBe(await libraryKey({ input: z.string() }));
    const narrowed = type('string').narrow((text) => text.length > 3);
    expect(await libraryKey({ input: narrowed })).toBe(await libraryKey({ input: type('string') }));
  });

  it.each<[string, 'input' | 'output', SchemaPair]>([
    ['a transform of zod', 'output', { output: z.string().transform((text) => text.length) }],
    ['a custom type of zod', 'input', { input: z.custom(() => true) }],
    ['a Date of zod', 'input', { input: z.object({ at: z.date() }) }],
    [
      'a transform of valibot',
      'output',
      {
        output: v.pipe(
          v.string(),
          v.transform((text) => text.length),
        ),
      },
    ],
    ['a Date of valibot', 'input', { input: v.date() }],
    ['a morph of arktype', 'output', { output: type({ a: type('string').pipe((text) => text.length) }) }],
    ['a Date of arktype', 'input', { input: type('Date') }],
    ['a schema of a library that has none', 'input', { input: { '~standard': { vendor: 'homemade' } } }],
  ])('are missing for %s: the error names the task and the remedy', async (_, side, schemas) => {
    const error = await refusal(schemas);
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(`Task "judge": its ${side} schema`);
    expect(error.message).toContain('Give the task an `interfaceVersion`');
    expect(error.details).toMatchObject({ task: 'judge', side });
  });

  it('of valibot need its converter, and the error says so', async () => {
    const missing = (): Promise<unknown> => Promise.reject(new Error('Cannot find package'));
    const error = await convertSchemas('judge', { input: v.string() }, missing).catch(
      (fault: unknown) => fault,
    );
    expect(String(error)).toContain('@valibot/to-json-schema cannot be loaded; install it');
    expect(String(error)).toContain('interfaceVersion');
  });

  it('are not had from what is no schema', async () => {
    expect((await refusal({ input: {} as never })).message).toContain('no Standard Schema');
    expect((await refusal({ output: null as never })).message).toContain('no Standard Schema');
  });
});

describe('a schema of objects', () => {
  const nested = (levels: number): JsonSchema => {
    let schema: JsonSchema = { type: 'string' };
    for (let level = 0; level < levels; level++) schema = { type: 'object', properties: { a: schema } };
    return schema;
  };

  it('that is nested up to 256 levels has a key, and is refused beyond', () => {
    expect(keyOf({ input: nested(255) })).not.toBe(keyOf({ input: nested(254) }));
    expect(() => keyOf({ input: nested(256) })).toThrow(
      /nested deeper than 256 levels, .* `interfaceVersion`/,
    );
    expect(() => keyOf({ input: nested(50_000) })).toThrow(/nested deeper than 256 levels/);
  });

  it('that is inside itself is refused, where references lead in circles too', () => {
    const inside: Record<string, unknown> = { type: 'object' };
    inside.properties = { a: inside };
    expect(() => keyOf({ input: inside })).toThrow(/inside itself/);
    expect(
      keyOf({ input: { $ref: '#/$defs/a', $defs: { a: { items: { $ref: '#/$defs/a' } } } } }),
    ).toHaveLength(64);
  });

  it('that stands for a huge tree is refused at once', () => {
    let laughs: JsonSchema = { type: 'string' };
    for (let level = 0; level < 100; level++) laughs = { anyOf: [laughs, laughs] };
    expect(() => keyOf({ output: laughs })).toThrow(/more than 100000 parts/);
  });

  it('has values that hold themselves no more than others', () => {
    const example: Record<string, unknown> = {};
    example.self = example;
    expect(() => canonicalSchema({ const: example })).not.toThrow();
    expect(() => keyOf({ input: { const: example } })).toThrow(/the object that contains it/);
  });
});
