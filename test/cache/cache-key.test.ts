import { tableFromArrays } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CacheKeyParts, cacheKey, TaskKeys } from '../../src/cache/cache-key.ts';
import { keyOfParts } from '../../src/cache/key-parts.ts';
import { isStowageError, type StowageError } from '../../src/errors.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { test as property, propertyRuns } from '../property.ts';
import { vectorTransformer } from '../values/arbitrary-value.ts';
import { normalForm, shuffled, smallValue } from './small-values.ts';

const serializers = new SerializerRegistry();
serializers.registerClass(vectorTransformer);

function key(parts: Partial<CacheKeyParts>): string {
  return cacheKey({ taskName: 'judge', version: '1', input: 0, serializers, ...parts }).key;
}

function refusal(parts: Partial<CacheKeyParts>): StowageError {
  try {
    key(parts);
  } catch (error) {
    if (isStowageError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('keys of inputs', () => {
  // What Flyte v2 gives one key to, or JSON cannot tell apart: each group's members must all differ.
  const groups: readonly [string, readonly unknown[]][] = [
    ['nested lists', [[[1], [2]], [[1, 2]], [1, 2], [[], [1, 2]], [[1, 2], []]]],
    ['strings side by side', [['ab', 'c'], ['a', 'bc'], ['abc'], ['', 'abc'], ['abc', '']]],
    ['a key and its value', [{ a: 'bx' }, { ab: 'x' }, { abx: '' }, { '': 'abx' }]],
    ['one, in every type', [1, '1', 1n, true, [1], '1n', 'true', new Date(1), new Uint8Array([1])]],
    ['nothing, in every form', [null, undefined, {}, [], '', 0, false, new Map(), new Set()]],
    ['absent and not', [{}, { a: undefined }, { a: null }, { a: {} }]],
    ['holes', [Object.assign(new Array(2), { 1: 1 }), [undefined, 1], [null, 1], [1]]],
    [
      'Map, object, entries',
      [
        new Map([['a', 1]]),
        { a: 1 },
        [['a', 1]],
        new Set([['a', 1]]),
        Object.assign(Object.create(null), { a: 1 }),
      ],
    ],
    [
      'bytes',
      [
        new Uint8Array([1, 2]),
        [1, 2],
        new Int8Array([1, 2]),
        new Uint8Array([1, 2]).buffer,
        'AQI=',
        '\x01\x02',
      ],
    ],
    ['zeros', [0, -0, 0n, '0', [0]]],
    ['dates', [new Date(0), 0, '1970-01-01T00:00:00.000Z', new Date(Number.NaN)]],
    ['no numbers', [Number.NaN, 'NaN', null, Infinity, -Infinity]],
    ['keys of Maps', [new Map([[1, 'a']]), new Map([['1', 'a']]), new Map([[1n, 'a']])]],
    ['what is beside, and inside', [{ a: { b: 1 } }, { a: {}, b: 1 }, { 'a.b': 1 }]],
    ['members of sets', [new Set([1, 2]), new Set([[1, 2]]), new Set([new Set([1, 2])]), [1, 2]]],
    [
      'pairs of entries',
      [
        new Map([
          ['a', 'b'],
          ['c', 'd'],
        ]),
        new Map([
          ['a', 'd'],
          ['c', 'b'],
        ]),
      ],
    ],
    [
      'elements in order',
      [
        [1, 2],
        [2, 1],
      ],
    ],
    ['strings that are not whole', ['\ud800', '\udc00', '\ufffd', '\ud800\udc00']],
  ];

  it.each(groups)('differ: %s', (_, values) => {
    const keys = values.map((input) => key({ input }));
    expect(new Set(keys).size).toBe(values.length);
    expect(new Set(values.map((value) => key({ input: { value } }))).size).toBe(values.length);
    expect(new Set(values.map((config) => key({ config }))).size).toBe(values.length);
  });

  property.prop([smallValue, smallValue], { numRuns: 5 * propertyRuns })(
    'are equal if and only if the inputs are the same but for their order',
    (a, b) => {
      expect(key({ input: a }) === key({ input: b })).toBe(normalForm(a) === normalForm(b));
    },
  );

  property.prop([smallValue, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true }))], {
    numRuns: propertyRuns,
  })('do not know order or identity, and neither do their descriptions', (input, stream) => {
    const other = shuffled(input, () => stream.next().value);
    const make = (value: unknown) => cacheKey({ taskName: 'judge', version: '1', input: value, serializers });
    expect(make(other)).toEqual(make(input));
  });
});

describe('the other parts of a key', () => {
  it('all count, and none for another', () => {
    const names = ['a', 'b'];
    const parts: Partial<CacheKeyParts>[] = [
      {},
      ...names.map((taskName) => ({ taskName })),
      ...names.map((version) => ({ version })),
      ...names.map((digest) => ({ version: { digest, places: {} } })),
      ...names.map((flow) => ({ scope: { flow } })),
      ...names.map((name) => ({ scope: { name } })),
      { scope: { flow: 'global' } },
      ...names.map((version) => ({ interface: { version } })),
      ...names.map((config) => ({ config })),
      ...names.map((salt) => ({ salt })),
      ...names.map((input) => ({ input })),
      { salt: '' },
      { config: null },
      { interface: { input: { type: 'string' } } },
      { interface: { output: { type: 'string' } } },
      { interface: { input: true } },
    ];
    expect(new Set(parts.map(key)).size).toBe(parts.length);
  });

  it('count as absent where they are undefined, and empty', () => {
    const plain = key({});
    expect(key({ config: undefined, salt: undefined, interface: undefined, scope: undefined })).toBe(plain);
    expect(key({ interface: {}, ignoredInputs: [], scope: 'global' })).toBe(plain);
  });

  it('can be checked: the key is the digest of what it says it is made of', () => {
    const made = cacheKey({
      taskName: 'judge',
      version: { digest: 'ab', places: {} },
      scope: { flow: 'Train' },
      interface: { input: { type: 'object' } },
      config: { model: 'm' },
      ignoredInputs: ['trace'],
      input: { prompt: 'p', trace: 1 },
      salt: 's',
    });
    const stored = JSON.parse(JSON.stringify(made)) as typeof made;
    expect(stored).toEqual(made);
    expect(keyOfParts(stored.parts)).toBe(made.key);
    expect(keyOfParts({ ...stored.parts, task: 'other' })).not.toBe(made.key);
    expect(made.key).toMatch(/^[0-9a-f]{64}$/);
  });

  it('hold no values', () => {
    const secret = 'sk-live-123';
    const made = cacheKey({
      taskName: 'judge',
      version: '1',
      input: { key: secret, list: [secret], map: new Map([['k', secret]]) },
      config: secret,
      salt: secret,
    });
    expect(JSON.stringify(made)).not.toContain(secret);
  });

  it.each([
    [{ taskName: '' }, 'needs a name'],
    [{ version: '' }, 'a version is a string'],
    [{ version: 3 as never }, 'a version is a string'],
    [{ scope: 'flow' as never }, 'a scope is'],
    [{ scope: { flow: 'a', name: 'b' } as never }, 'a scope is'],
    [{ scope: { flow: '' } }, 'a scope is'],
    [{ salt: 3 as never }, 'a salt is a string'],
    [{ interface: { version: 3 as never } }, '`interfaceVersion` is a string'],
    [{ interface: { in: true } as never }, 'no option in'],
    [{ interface: null as never }, 'an interface is'],
    [{ interface: '1' as never }, 'an interface is'],
    [{ confg: 1 } as never, 'no option confg'],
  ])('are refused where they are wrong: %j', (parts, text) => {
    const error = refusal(parts);
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(text);
  });

  it('tell the task and the path of a configuration that cannot be', () => {
    const error = refusal({ config: { model: { layers: [() => 1] } } });
    expect(error.code).toBe('UNKEYABLE_VALUE');
    expect(error.details).toMatchObject({ task: 'judge', path: 'config.model.layers[0]' });
  });
});

describe('ignored inputs', () => {
  it('do not count', () => {
    const ignoring = (input: unknown): string => key({ input, ignoredInputs: ['trace', 'log'] });
    expect(ignoring({ prompt: 'p', trace: 1, log: () => 1 })).toBe(
      ignoring({ prompt: 'p', trace: 2, log: null }),
    );
    expect(ignoring({ prompt: 'p', trace: 1, log: 1 })).not.toBe(ignoring({ prompt: 'q', trace: 1, log: 1 }));
  });

  it('count again when they are no longer ignored: what was made while they were is not taken', () => {
    const while_ = key({ input: { prompt: 'p', trace: 1 }, ignoredInputs: ['trace'] });
    expect(key({ input: { prompt: 'p' } })).not.toBe(while_);
  });

  it('are a set of names', () => {
    const input = { a: 1, b: 2, c: 3 };
    expect(key({ input, ignoredInputs: ['a', 'b', 'a'] })).toBe(key({ input, ignoredInputs: ['b', 'a'] }));
  });

  it('may be absent where the schema knows them', () => {
    const schema = { input: { type: 'object', properties: { prompt: {}, trace: {} } } };
    const parts = { interface: schema, ignoredInputs: ['trace'] };
    expect(key({ ...parts, input: { prompt: 'p' } })).toBe(
      key({ ...parts, input: { prompt: 'p', trace: 1 } }),
    );
  });

  it('with a name that the input does not have are an error, which names the task', () => {
    const error = refusal({
      input: { prompt: 'p', trace: 1 },
      ignoredInputs: ['trace', 'tarce', 'toString'],
    });
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain('Task "judge"');
    expect(error.message).toContain('names tarce, toString');
    expect(error.message).toContain('it has prompt, trace');
    expect(error.details).toMatchObject({ task: 'judge', unknown: ['tarce', 'toString'] });
  });

  it.each([['text'], [[1]], [null], [new Map([['trace', 1]])]])(
    'of %j, which has no members, are an error',
    (input) => {
      expect(refusal({ input, ignoredInputs: ['trace'] }).message).toContain('no plain object');
    },
  );
});

describe('keys of one task', () => {
  it('are those of single calls, brief or not', () => {
    const task = { taskName: 'judge', version: '1', config: { a: 1 }, ignoredInputs: ['b'], serializers };
    const keys = new TaskKeys(task);
    const input = { a: [1, 2], b: 1 };
    expect(keys.keyOf(input, 's')).toEqual(cacheKey({ ...task, input, salt: 's' }));
    expect(keys.briefKeyOf(input, 's').key).toBe(keys.keyOf(input, 's').key);
    expect(keys.briefKeyOf(input).places.input).toBeUndefined();
  });

  it('are of the configuration as it is when they are made', () => {
    const config = { a: 1 };
    const task = { taskName: 'judge', version: '1', serializers };
    const keys = new TaskKeys({ ...task, config });
    for (config.a = 1; config.a < 4; config.a++) {
      const now = cacheKey({ ...task, config: { a: config.a }, input: 1 });
      expect(keys.keyOf(1)).toEqual(now);
      expect(keys.briefKeyOf(1).key).toBe(now.key);
    }
  });

  it('can be prepared for tables', async () => {
    const keys = new TaskKeys({ taskName: 'judge', version: '1' });
    const input = { table: tableFromArrays({ a: [1] }) };
    expect(() => keys.keyOf(input)).toThrow('prepareToSave');
    await keys.prepare(input);
    expect(keys.keyOf(input).key).toMatch(/^[0-9a-f]{64}$/);
    expect(keys.prepare({ a: 1 })).toBeUndefined();
  });
});
