import { expect, it } from 'vitest';
import { MemoryStorage } from '../../src/storage/memory.ts';

const bytes = new TextEncoder().encode('x');

it('is a store of its own without a name', async () => {
  await new MemoryStorage().create('a', bytes);
  expect(await new MemoryStorage().get('a')).toBeUndefined();
});

it('is shared by its name, and outlives the instance that was closed', async () => {
  const first = new MemoryStorage('memory.test');
  await first.create('a', bytes);
  await first.close();
  expect((await new MemoryStorage('memory.test').get('a'))?.body).toEqual(bytes);
  expect(await new MemoryStorage('memory.test 2').get('a')).toBeUndefined();
});

it('names objects by its own name', () => {
  expect(new MemoryStorage('n').uri('a/b c')).toBe('memory:n/a/b%20c');
});
