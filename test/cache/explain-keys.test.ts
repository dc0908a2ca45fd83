import { describe, expect, it } from 'vitest';
import { type CacheKeyParts, cacheKey } from '../../src/cache/cache-key.ts';
import { explainKeys } from '../../src/cache/explain-keys.ts';
import type { CacheKey } from '../../src/cache/key-parts.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { test as property, propertyRuns } from '../property.ts';
import { vectorTransformer } from '../values/arbitrary-value.ts';
import { smallValue } from './small-values.ts';

const serializers = new SerializerRegistry();
serializers.registerClass(vectorTransformer);

function made(parts: Partial<CacheKeyParts>): CacheKey {
  return cacheKey({ taskName: 'judge', version: '3', input: 0, serializers, ...parts });
}

function told(before: Partial<CacheKeyParts>, after: Partial<CacheKeyParts>): string[] {
  return explainKeys(made(before), made(after)).map(({ message }) => message);
}

function between(before: unknown, after: unknown): string[] {
  return told({ input: before }, { input: after });
}

describe('what differs between two keys', () => {
  it('is nothing, for equal ones', () => {
    expect(told({ input: { a: 1 } }, { input: { a: 1 } })).toEqual([]);
  });

  it.each([
    [{ version: '3' }, { version: '4' }, ['version "3" -> "4"']],
    [{ taskName: 'judge' }, { taskName: 'jury' }, ['task "judge" -> "jury"']],
    [{}, { scope: { flow: 'Train' } }, ['scope global -> flow "Train"']],
    [{ scope: { flow: 'a' } }, { scope: { name: 'a' } }, ['scope flow "a" -> name "a"']],
    [{}, { config: 1 }, ['config added']],
    [{ salt: 's' }, {}, ['salt removed']],
    [{ salt: 's' }, { salt: 't' }, ['something inside salt changed']],
    [{ config: { a: 1 } }, { config: { a: 1, model: 'm' } }, ['config.model added']],
    [{ interface: { version: '1' } }, { interface: { version: '2' } }, ['interface "1" -> "2"']],
    [{ interface: { version: '1' } }, { interface: { input: true } }, ['interface changed']],
    [
      { interface: { input: { type: 'object', properties: { n: { type: 'number' } } } } },
      { interface: { input: { type: 'object', properties: { n: { type: 'string' } } } } },
      ['interface.input.properties.n.type changed'],
    ],
    [{ version: '3' }, { version: { digest: 'd', places: {} } }, ['version changed']],
    [
      { version: { digest: 'd', places: { 'version.run': '1', 'version.dependsOn[0]': '2' } } },
      { version: { digest: 'e', places: { 'version.run': '1', 'version.dependsOn[0]': '3' } } },
      ['version.dependsOn[0] changed'],
    ],
    [
      { input: { a: 1, b: 2 }, ignoredInputs: ['a'] },
      { input: { a: 1, b: 2 }, ignoredInputs: ['a', 'b'] },
      ['ignoredInputs ["a"] -> ["a","b"]', 'input.b removed'],
    ],
  ])('is told by part: %j, %j', (before, after, messages) => {
    // One member is left, or the whole of an empty input differs from one with members.
    const found = told(before as Partial<CacheKeyParts>, after as Partial<CacheKeyParts>);
    expect(found.map((text) => text.replace('input changed', 'input.b removed'))).toEqual(messages);
  });

  it.each([
    [{ prompt: 'a' }, { prompt: 'b' }, ['input.prompt changed']],
    [{ prompt: 'a', n: 1 }, { prompt: 'a', m: 1 }, ['input.n removed', 'input.m added']],
    [[1, [2, 3]], [1, [2, 4]], ['input[1][1] changed']],
    [[1], [1, 2], ['input[1] added']],
    [{ a: 1 }, { a: { b: 1 } }, ['input.a changed']],
    [{ a: { b: 1 } }, { a: 1 }, ['input.a changed']],
    [{ a: {} }, { a: { b: 1 } }, ['input.a changed']],
    [{ a: 1 }, { a: '1' }, ['input.a changed']],
    [new Map([['k', { x: 1 }]]), new Map([['k', { x: 2 }]]), ['input.get("k").x changed']],
    [new Map([[[1], 1]]), new Map([[[1], 2]]), ['input changed']],
    [new Set([1]), new Set([2]), ['input changed']],
    [{ 'odd key': 1 }, { 'odd key': 2 }, ['input["odd key"] changed']],
    [{ a: { b: 1 } }, { a: Object.assign(Object.create(null), { b: 1 }) }, ['input.a changed']],
    [{ ab: 1 }, { a: 1 }, ['input.ab removed', 'input.a added']],
    [{ a: [undefined] }, { a: new Array(1) }, ['input.a changed']],
  ])('is told by place: %j, %j', (before, after, messages) => {
    expect(between(before, after).sort()).toEqual([...messages].sort());
  });

  it('is told as something inside, where there are too many places', () => {
    const rows = Array.from({ length: 10_000 }, (_, id) => ({ id }));
    const changed = rows.with(5000, { id: -1 });
    expect(between({ rows, n: 1 }, { rows: changed, n: 1 })).toEqual(['something inside input.rows changed']);
    expect(between({ rows }, { rows: rows.slice(0, 20) })).toEqual(['something inside input.rows changed']);
    expect(between({ rows: rows.slice(0, 20) }, { rows })).toEqual(['something inside input.rows changed']);
  });

  it('takes little space, whatever the input is', () => {
    const long = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => ['k'.repeat(1000) + i, { a: 1, b: 2 }]),
    );
    const wide = Array.from({ length: 200 }, () => Array.from({ length: 200 }, (_, i) => i));
    let deep: unknown = 1;
    for (let level = 0; level < 500; level++) deep = { deep };
    for (const input of [long, wide, deep, { long, wide, deep }]) {
      expect(JSON.stringify(made({ input }).places).length).toBeLessThan(20_000);
    }
  });

  it('is told of keys that were stored', () => {
    const stored = (parts: Partial<CacheKeyParts>): CacheKey => JSON.parse(JSON.stringify(made(parts)));
    const [difference] = explainKeys(stored({ input: { prompt: 'a' } }), made({ input: { prompt: 'b' } }));
    expect(difference).toEqual({
      part: 'input',
      path: 'input.prompt',
      change: 'changed',
      message: 'input.prompt changed',
    });
  });

  it('is told by part, where no places were kept', () => {
    const { key, parts } = made({ input: { a: 1 } });
    const other = made({ input: { a: 2 } });
    const found = explainKeys({ key, parts, places: {} }, { ...other, places: {} });
    expect(found).toMatchObject([{ path: 'input', change: 'inside' }]);
  });

  property.prop([smallValue, smallValue], { numRuns: 5 * propertyRuns })(
    'is something, whenever keys differ, and only then',
    (a, b) => {
      const [before, after] = [made({ input: { a } }), made({ input: { a: b } })];
      const differences = explainKeys(before, after);
      expect(differences.length > 0).toBe(before.key !== after.key);
      for (const { part, path } of differences) {
        expect(part).toBe('input');
        expect(path.startsWith('input.a')).toBe(true);
      }
    },
  );
});
