import assert from 'node:assert/strict';
import { assertBytes, assertRejects, type CaseBody, pagesOf, text } from './case.ts';

const FLAGS = ['createIfAbsent', 'ifMatch', 'rangeReads', 'localReads', 'sharedByProcesses'] as const;
/** A call of a busy service may take long itself. */
const MAX_WAIT_MS = 5_000;

export const lifecycleCases: readonly CaseBody[] = [
  {
    name: 'a loop of calls lets timers through, so that it can wait for what they bring',
    async check({ storage, base }) {
      await storage.create(`${base}a`, text('x'));
      const calls: Record<string, () => Promise<unknown>> = {
        'get of nothing': () => storage.get(`${base}none`),
        get: () => storage.get(`${base}a`),
        head: () => storage.head(`${base}a`),
        'list of nothing': () => pagesOf(storage, { prefix: `${base}none/` }),
        list: () => pagesOf(storage, { prefix: base }),
        'create of what is there': () => storage.create(`${base}a`, text('y')),
        overwrite: () => storage.overwrite(`${base}a`, text('z')),
        delete: () => storage.delete([`${base}none`]),
      };
      for (const [what, call] of Object.entries(calls)) {
        let isOver = false;
        setTimeout(() => {
          isOver = true;
        }, 10);
        const endMs = performance.now() + MAX_WAIT_MS;
        while (!isOver && performance.now() < endMs) await call();
        assert.ok(isOver, `${what}: no timer came to its turn in ${MAX_WAIT_MS} ms`);
      }
    },
  },
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
