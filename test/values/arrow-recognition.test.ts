import * as arrow from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { isArrowTable } from '../../src/values/arrow-table.ts';
import { measures, requiredArrow } from './arrow-fixture.ts';

describe('what is a table', () => {
  const trap = () => {
    throw new Error('trap');
  };
  const throwing = new Proxy(
    {},
    { get: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap, has: trap, ownKeys: trap },
  );
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const like = (own: object) => Object.assign(Object.create({ getChildAt: () => 1, selectAt: () => 1 }), own);

  it.each<[string, unknown]>([
    ['of the imported copy', measures()],
    ['of another copy', requiredArrow.tableFromArrays({ a: [1] })],
    ['of another version, which has no mark', like({ schema: { fields: [] }, batches: [] })],
  ])('is told by its shape: one %s', (_name, value) => {
    expect(isArrowTable(value)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['a string', 'Table'],
    [
      'an object of the same members',
      { schema: { fields: [] }, batches: [], getChildAt: trap, selectAt: trap },
    ],
    ['an object without a prototype', Object.create(null)],
    ['a proxy of a table', new Proxy(measures(), {})],
    ['a proxy that throws', throwing],
    ['a revoked proxy', revoked],
    ['an object whose prototype throws', Object.create(throwing)],
    ['a table whose batches throw', like({ schema: { fields: [] }, batches: throwing })],
    ['a table whose schema is revoked', like({ schema: revoked, batches: [] })],
    ['a table whose fields are revoked', like({ schema: { fields: revoked }, batches: [] })],
    [
      'a table whose schema is a getter',
      Object.defineProperty(like({ batches: [] }), 'schema', { get: trap }),
    ],
    ['an instance of a subclass', new (class Wide extends arrow.Table {})()],
    ['a vector', arrow.vectorFromArray([1])],
    ['a record batch', measures().batches[0]],
    ['the class', arrow.Table],
  ])('is not %s', (_name, value) => {
    expect(isArrowTable(value)).toBe(false);
  });
});
