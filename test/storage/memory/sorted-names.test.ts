import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SortedNames } from '../../../src/storage/memory/sorted-names.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { compareNames } from '../../../src/storage/name-order.ts';
import { test } from '../../property.ts';

function allFrom(names: SortedNames, first: string): string[] {
  const all: string[] = [];
  for (let some = names.from(first); some.length > 0; some = names.from(`${some.at(-1)}\0`))
    all.push(...some);
  return all;
}

describe('names', () => {
  const name = fc.string({
    unit: fc.constantFrom('a', 'b', '/', '-', 'é', '\u{1f600}', '\uff00'),
    minLength: 1,
    maxLength: 4,
  });
  const step = fc.oneof(fc.record({ add: name }), fc.record({ remove: name }), fc.record({ from: name }));
  test.prop([fc.array(step, { maxLength: 60 })])(
    'come in order, whatever was added and removed before',
    (steps) => {
      const names = new SortedNames();
      const model = new Set<string>();
      for (const each of steps) {
        if ('add' in each && !model.has(each.add)) {
          names.add(each.add);
          model.add(each.add);
        } else if ('remove' in each) {
          names.delete(each.remove);
          model.delete(each.remove);
        } else if ('from' in each) {
          const expected = [...model]
            .filter((other) => compareNames(other, each.from) >= 0)
            .sort(compareNames);
          expect(allFrom(names, each.from)).toEqual(expected);
        }
      }
      expect(allFrom(names, '')).toEqual([...model].sort(compareNames));
    },
  );

  it('are as many as were added, over many blocks', () => {
    const names = new SortedNames();
    const all = Array.from({ length: 10_000 }, (_, i) => String((i * 7_919) % 10_000).padStart(5, '0'));
    for (const [i, each] of all.entries()) {
      names.add(each);
      if (i % 1_000 === 0) names.from('');
    }
    expect(allFrom(names, '')).toEqual([...all].sort());
    for (const each of all) if (each !== '05000') names.delete(each);
    expect(allFrom(names, '')).toEqual(['05000']);
  });
});

it('creating and listing by turns takes no longer for each the more objects there are', async () => {
  const storage = new MemoryStorage();
  const bytes = new Uint8Array(1);
  let listed = 0;
  for (let i = 0; i < 20_000; i += 1) {
    const name = `runs/${(i * 7_919) % 20_011}`;
    await storage.create(name, bytes);
    for await (const { objects } of storage.list({ prefix: name, limit: 1 })) {
      if (objects[0]?.name === name) listed += 1;
      break;
    }
  }
  expect(listed).toBe(20_000);
});

it('a listing goes on where names are added and removed beside it', async () => {
  const storage = new MemoryStorage();
  const names = Array.from({ length: 3_000 }, (_, i) => String(i).padStart(5, '0'));
  for (const name of names) await storage.create(name, new Uint8Array(1));
  const seen: string[] = [];
  for await (const { objects } of storage.list({ prefix: '' })) {
    seen.push(...objects.map(({ name }) => name));
    const last = seen.at(-1) as string;
    await storage.delete([`${last}`, `${last}-added`]);
    await storage.create(`${last}-added`, new Uint8Array(1));
  }
  const missed = names.filter((name) => !seen.includes(name));
  expect(missed.slice(0, 3), `${missed.length} missed`).toEqual([]);
  expect(seen.filter((name) => names.includes(name))).toHaveLength(names.length);
});
