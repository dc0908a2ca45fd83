import assert from 'node:assert/strict';
import { assertBytes, assertRejects, type CaseBody, pagesOf, text } from './case.ts';

const FLAGS = ['createIfAbsent', 'ifMatch', 'rangeReads', 'localReads', 'sharedByProcesses'] as const;

export const lifecycleCases: readonly CaseBody[] = [
  {
    name: 'capabilities: complete, frozen, and the same for every instance',
    async check({ storage, open }) {
      const { capabilities } = storage;
      assert.ok(Object.isFrozen(capabilities));
      for (const flag of FLAGS) assert.equal(typeof capabilities[flag], 'boolean', flag);
      assert.ok(capabilities.nameEncoding === 'exact' || capabilities.nameEncoding === 'fold');
      const other = await open();
      assert.deepEqual(other.capabilities, capabilities);
      assert.match(storage.type, /^[a-z0-9]+$/);
      assert.equal(other.type, storage.type);
    },
  },
  {
    name: 'close: finishes what was deferred, may be repeated, and every later call throws STORAGE_CLOSED',
    async check({ storage, open, base }) {
      await storage.create(`${base}a`, text('a'), { durability: 'deferred' });
      await storage.close();
      await storage.close();
      const name = `${base}b`;
      await assertRejects(() => storage.get(name), 'STORAGE_CLOSED');
      await assertRejects(() => storage.head(name), 'STORAGE_CLOSED');
      await assertRejects(() => storage.create(name, text('b')), 'STORAGE_CLOSED');
      await assertRejects(() => storage.overwrite(name, text('b')), 'STORAGE_CLOSED');
      await assertRejects(() => pagesOf(storage, { prefix: base }), 'STORAGE_CLOSED');
      await assertRejects(() => storage.delete([name]), 'STORAGE_CLOSED');
      await assertRejects(() => storage.persist([name]), 'STORAGE_CLOSED');
      assertBytes((await (await open()).get(`${base}a`))?.body, text('a'), 'after the close');
    },
  },
  {
    name: 'close: other instances stay open, and disposing is closing',
    async check({ storage, open, base }) {
      const other = await open();
      await other[Symbol.asyncDispose]();
      await assertRejects(() => other.get(`${base}a`), 'STORAGE_CLOSED');
      assert.equal(await storage.create(`${base}a`, text('a')), true);
    },
  },
];
