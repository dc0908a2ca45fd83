import assert from 'node:assert/strict';
import type { ListOptions, ListPage } from '../../storage/contract.ts';
import {
  assertRejects,
  beside,
  type CaseBody,
  type CaseContext,
  createAll,
  namesOf,
  pagesOf,
  pattern,
  text,
} from './case.ts';

/** Objects in folders, whose order is easily got wrong, in the order of their bytes. */
const TREE = [
  ...['0', 'a!', 'a-b/c', 'a.b/c', 'a/b', 'a/b-', 'a/b0/c', 'a0', 'aa/a', 'aa0', 'z', 'z0/z0/z0/z'],
  ...['é/é', '～/x', '😀/x'],
];
const FLAT = ['0', 'a!', 'a-b', 'a.b', 'a0', 'aa0', 'z', 'é', '～', '😀'];

/** A little more than two pages of the services. */
const MANY = 2_010;

/** The expected listing, worked out in the simplest way. */
function expected(
  names: readonly string[],
  options: Partial<ListOptions>,
): { objects: string[]; folders: string[] } {
  const { prefix = '', startAfter = '', depth = 'all', limit = Number.POSITIVE_INFINITY } = options;
  const entries = new Set<string>();
  for (const name of names.filter((candidate) => candidate.startsWith(prefix))) {
    const slash = depth === 'one' ? name.indexOf('/', prefix.length) : -1;
    entries.add(slash < 0 ? name : name.slice(0, slash + 1));
  }
  const start = Buffer.from(startAfter);
  const sorted = [...entries]
    .map((entry) => ({ entry, bytes: Buffer.from(entry) }))
    .filter(({ bytes }) => Buffer.compare(bytes, start) > 0)
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .slice(0, limit)
    .map(({ entry }) => entry);
  return {
    objects: sorted.filter((entry) => !entry.endsWith('/')),
    folders: sorted.filter((entry) => entry.endsWith('/')),
  };
}

async function assertListed(
  context: CaseContext,
  names: readonly string[],
  options: Partial<ListOptions>,
): Promise<readonly ListPage[]> {
  const { storage, base } = context;
  const within: ListOptions = { ...options, prefix: base + (options.prefix ?? '') };
  if (options.startAfter !== undefined) within.startAfter = base + options.startAfter;
  const pages = await pagesOf(storage, within);
  const cut = (name: string): string => name.slice(base.length);
  const listed = {
    objects: pages.flatMap((page) => page.objects.map((object) => cut(object.name))),
    folders: pages.flatMap((page) => page.folders.map(cut)),
  };
  assert.deepEqual(listed, expected(names, options), JSON.stringify(options));
  assertPages(pages);
  return pages;
}

function assertPages(pages: readonly ListPage[]): void {
  for (const page of pages) {
    const entries = page.objects.length + page.folders.length;
    assert.ok(entries <= 1000, `a page of ${entries} entries`);
  }
}

export const listCases: readonly CaseBody[] = [
  {
    name: 'list: nothing, where there is nothing',
    async check(context) {
      assert.deepEqual(await namesOf(context), []);
      assert.deepEqual(await namesOf(context, { prefix: 'no/such/folder/' }), []);
      assert.deepEqual(await namesOf(context, { prefix: 'no', depth: 'one' }), []);
    },
  },
  {
    name: 'list: ascending by the bytes of whole names, beyond the basic plane as well',
    async check(context) {
      await createAll(context, [...TREE].reverse());
      assert.deepEqual(await namesOf(context), TREE);
      assert.deepEqual(TREE, expected(TREE, {}).objects, 'the suite’s own order');
    },
  },
  {
    name: 'list: flat names with every kind of neighbour',
    async check(context) {
      await createAll(context, FLAT);
      assert.deepEqual(await namesOf(context), FLAT);
    },
  },
  {
    name: 'list: a prefix may end anywhere, and only within it is listed',
    async check(context) {
      await createAll(context, TREE);
      const prefixes = TREE.flatMap((name) => [...name].map((_, i, all) => all.slice(0, i + 1).join('')));
      for (const prefix of new Set(['', 'A', 'b', 'a/b/', 'a//', ...prefixes])) {
        if (prefix === 'a//') continue;
        await assertListed(context, TREE, { prefix });
        await assertListed(context, TREE, { prefix, depth: 'one' });
      }
    },
  },
  {
    name: 'list: startAfter, limit and depth go together',
    async check(context) {
      await createAll(context, TREE);
      const marks = [
        '',
        '!',
        'a',
        'a/',
        'a/b',
        'a/b0/',
        'a/b0/c',
        'a/zzz',
        'aa/',
        'z0/z0/',
        'é',
        '～/',
        '😀/x',
        '😀0',
      ];
      for (const startAfter of [...marks, ...TREE]) {
        for (const depth of ['all', 'one'] as const) {
          await assertListed(context, TREE, { startAfter, depth });
          await assertListed(context, TREE, { startAfter, depth, prefix: 'a' });
          await assertListed(context, TREE, { startAfter, depth, limit: 1 });
          await assertListed(context, TREE, { startAfter, depth, limit: 4 });
        }
      }
      await assertListed(context, TREE, { limit: 0 });
      await assertListed(context, TREE, { limit: TREE.length });
      await assertListed(context, TREE, { limit: TREE.length + 1 });
    },
  },
  {
    name: `list: ${MANY} objects come in pages of at most 1,000, each once, and more than a page goes at once`,
    async check(context) {
      const { storage, base } = context;
      const names = Array.from({ length: MANY }, (_, i) => `${i % 9}/${String(i).padStart(5, '0')}`).sort();
      await createAll(context, names);
      const pages = await assertListed(context, names, {});
      assert.ok(pages.length >= 3, 'several pages');
      await assertListed(context, names, { limit: 1500 });
      await assertListed(context, names, { limit: 1000 });
      await assertListed(context, names, { startAfter: names[1200] as string });
      await assertListed(context, names, { depth: 'one' });
      const [going, staying] = [names.slice(0, 1_010), names.slice(1_010)];
      assert.deepEqual(await storage.delete(going.map((name) => base + name)), []);
      assert.deepEqual(await namesOf(context), staying);
    },
  },
  {
    name: 'list: a listing that is given up leaves the storage usable',
    async check(context) {
      await createAll(context, ['a', 'b']);
      for await (const page of context.storage.list({ prefix: context.base })) {
        assert.ok(page.objects.length > 0);
        break;
      }
      assert.deepEqual(await namesOf(context), ['a', 'b']);
    },
  },
  {
    name: 'list: details are told when asked for',
    async check({ storage, base }) {
      await storage.create(`${base}a`, pattern(10));
      await storage.create(`${base}d/b`, pattern(70_000));
      const [page] = await pagesOf(storage, { prefix: base, details: true });
      const infos = [await storage.head(`${base}a`), await storage.head(`${base}d/b`)];
      assert.deepEqual(
        page?.objects,
        infos.map((info) => ({ name: info?.name, bytes: info?.bytes, modifiedAtMs: info?.modifiedAtMs })),
      );
    },
  },
  {
    name: 'list: another instance sees at once what was created and deleted',
    async check({ storage, open, base }) {
      const other = await open();
      await storage.create(`${base}x/a`, text('a'));
      await storage.create(`${base}x/b`, text('b'));
      assert.deepEqual(await namesOf({ storage: other, base }), ['x/a', 'x/b']);
      await storage.delete([`${base}x/a`]);
      assert.deepEqual(await namesOf({ storage: other, base }), ['x/b']);
    },
  },
  {
    name: 'list: what is there throughout is listed once, while others come and go',
    async check(context) {
      const { storage, open, base } = context;
      const staying = Array.from(
        { length: 150 },
        (_, i) => `d${i % 10}/stays-${String(i).padStart(3, '0')}`,
      ).sort();
      await createAll(context, staying);
      const other = await open();
      let i = 0;
      const comeAndGo = async (): Promise<void> => {
        i += 1;
        const name = `${base}d${i % 10}/goes/${i}`;
        await other.create(name, text('x'), { durability: 'deferred' });
        await other.delete([name]);
      };
      await beside(comeAndGo, async () => {
        for (let round = 0; round < 20; round += 1) {
          const listed = await namesOf({ storage, base });
          assert.deepEqual(
            listed.filter((name) => name.includes('stays')),
            staying,
          );
        }
      });
    },
  },
  {
    name: 'list: an aborted listing throws ABORTED; a limit or prefix that is none is refused',
    async check({ storage, base }) {
      const signal = AbortSignal.abort();
      await assertRejects(() => pagesOf(storage, { prefix: base, signal }), 'ABORTED');
      for (const limit of [-1, 0.5, Number.NaN]) {
        await assertRejects(() => pagesOf(storage, { prefix: base, limit }), 'INVALID_ARGUMENT');
      }
      for (const prefix of ['/', '../', './', 'a//', 'a/../', 'a\\', 'a\0', undefined, 7]) {
        await assertRejects(() => pagesOf(storage, { prefix: prefix as string }), 'INVALID_ARGUMENT');
      }
    },
  },
];
