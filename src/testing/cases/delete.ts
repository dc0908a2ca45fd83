import assert from 'node:assert/strict';
import {
  assertBytes,
  assertRejects,
  beside,
  type CaseBody,
  createAll,
  namesOf,
  pagesOf,
  text,
} from './case.ts';

export const deleteCases: readonly CaseBody[] = [
  {
    name: 'delete: what is deleted is gone for all; the others stay',
    async check(context) {
      const { storage, open, base } = context;
      await createAll(context, ['a/1', 'a/2', 'b/1', 'c']);
      assert.deepEqual(await storage.delete([`${base}a/1`, `${base}c`]), []);
      const other = await open();
      assert.equal(await other.get(`${base}a/1`), undefined);
      assert.equal(await other.head(`${base}c`), undefined);
      assert.deepEqual(await namesOf({ storage: other, base }), ['a/2', 'b/1']);
    },
  },
  {
    name: 'delete: names that do not exist count as deleted, those of folders too, which stay whole',
    async check(context) {
      const { storage, base } = context;
      await createAll(context, ['a/1', 'b']);
      const names = ['missing', 'no/such/folder', 'b/below', 'a', 'missing'].map((name) => base + name);
      assert.deepEqual(await storage.delete(names), []);
      assert.deepEqual(await storage.delete([]), []);
      assert.deepEqual(await namesOf(context), ['a/1', 'b']);
    },
  },
  {
    name: 'delete: a folder without objects is no longer listed',
    async check(context) {
      const { storage, base } = context;
      await createAll(context, ['a/b/c/1', 'a/b/c/2', 'd/1']);
      await storage.delete([`${base}a/b/c/1`, `${base}a/b/c/2`]);
      const pages = await pagesOf(storage, { prefix: base, depth: 'one' });
      assert.deepEqual(
        pages.flatMap((page) => page.folders),
        [`${base}d/`],
      );
    },
  },
  {
    name: 'delete: names that cannot be are reported, and the rest is deleted',
    async check(context) {
      const { storage, base } = context;
      await createAll(context, ['a']);
      const failures = await storage.delete(['../escape', `${base}a`, '']);
      assert.deepEqual(failures.map((failure) => failure.name).sort(), ['', '../escape']);
      assert.ok(failures.every((failure) => failure.error instanceof Error));
      assert.deepEqual(await namesOf(context), []);
    },
  },
  {
    name: 'delete: a create beside deletes in its folder always succeeds',
    async check({ storage, open, base }) {
      const other = await open();
      let i = 0;
      const comeAndGo = async (): Promise<void> => {
        i += 1;
        assert.equal(
          await other.create(`${base}x/y/z/other-${i}`, text('x'), { durability: 'deferred' }),
          true,
        );
        await other.delete([`${base}x/y/z/other-${i}`]);
      };
      await beside(comeAndGo, async () => {
        for (let own = 0; own < 100; own += 1) {
          const name = `${base}x/y/z/own-${own}`;
          assert.equal(await storage.create(name, text(`${own}`)), true);
          assertBytes((await storage.get(name))?.body, text(`${own}`), name);
          assert.deepEqual(await storage.delete([name]), []);
          await new Promise(setImmediate);
        }
      });
    },
  },
  {
    name: 'delete: an aborted call throws ABORTED',
    async check(context) {
      const { storage, base } = context;
      await createAll(context, ['a']);
      const signal = AbortSignal.abort();
      await assertRejects(() => storage.delete([`${base}a`], { signal }), 'ABORTED');
      assert.deepEqual(await namesOf(context), ['a']);
    },
  },
];
