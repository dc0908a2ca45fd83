import assert from 'node:assert/strict';
import {
  assertBytes,
  assertNothingListed,
  assertRejects,
  type CaseBody,
  createAll,
  namesOf,
  text,
} from './case.ts';

/** Names that some file system would refuse, change or merge, and every storage must keep apart. */
const AWKWARD = [
  'a',
  'A',
  'aux',
  'AUX',
  'nul.txt',
  'com1',
  'a:b',
  'a%3Ab',
  'a%3ab',
  'a.',
  'a..',
  'a ',
  ' a',
  '.a',
  '...',
  'a<b>"c"|d?e*',
  'a~1',
  'a%',
  '%61',
  'a+b',
  'a b',
  '2026-01-31T12:34:56.789Z',
  'ä',
  'Ä',
  'ß',
  'ss',
  'ﬀ',
  'ff',
  'İ',
  'i',
  'ı',
  '漢字',
  '😀',
  '-rf',
  '#a?b=c&d',
  "it's",
  '$HOME',
];

const HOSTILE: readonly unknown[] = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  './a',
  '../a',
  'a/..',
  'a/../b',
  'a/./b',
  '/etc/passwd',
  'C:\\x',
  'a\\b',
  '..\\a',
  'a\0',
  'a\nb',
  'a\x7f',
  'a\u0085',
  'a\ufffe',
  '\uffffa',
  'a\ud800',
  '\udc00a',
  'a\u0308',
  'tmp',
  'tmp/a',
  'x'.repeat(1025),
  `a/${'x'.repeat(256)}`,
  undefined,
  null,
  7,
  ['a'],
];

/** Short of 1,024, to leave room for a prefix that a storage may have of its own. */
const MAX_BYTES = 900;
/** Azure takes 254, of which some are the prefix's and the case's. */
const DEEP_SEGMENTS = 200;

export const nameCases: readonly CaseBody[] = [
  {
    name: 'names: awkward ones are kept apart and come back as they were',
    async check(context) {
      const { storage, base } = context;
      await createAll(context, AWKWARD);
      for (const name of AWKWARD) {
        assertBytes((await storage.get(base + name))?.body, text(name), JSON.stringify(name));
      }
      const ordered = [...AWKWARD].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(await namesOf(context), ordered);
    },
  },
  {
    name: 'names: awkward ones may be those of folders',
    async check(context) {
      const names = AWKWARD.map((name) => `${name}/${name}`);
      await createAll(context, names);
      const listed = await namesOf(context);
      assert.deepEqual(listed.sort(), names.sort());
      for (const name of AWKWARD) {
        assert.deepEqual(await namesOf(context, { prefix: `${name}/` }), [`${name}/${name}`]);
      }
      assert.deepEqual(await context.storage.delete(names.map((name) => context.base + name)), []);
      await assertNothingListed(context);
    },
  },
  {
    name: 'names: long ones, and deep ones',
    async check(context) {
      const room = MAX_BYTES - context.base.length;
      const deep = Array.from({ length: Math.min(DEEP_SEGMENTS, room / 2) }, () => 'd').join('/');
      const wide = Array.from({ length: 4 }, (_, i) => `${i}${'w'.repeat(190)}`).join('/');
      const encoded = `${'W'.repeat(85)}/${'é'.repeat(42)}`;
      await createAll(context, [deep, wide, encoded, 'x'.repeat(255)]);
      assert.equal((await namesOf(context)).length, 4);
      assertBytes((await context.storage.get(context.base + deep))?.body, text(deep), 'deep');
    },
  },
  {
    name: 'names: those that cannot be are refused by every call, and nothing is written',
    async check(context) {
      const { storage } = context;
      for (const wrong of HOSTILE) {
        const name = wrong as string;
        await assertRejects(async () => storage.get(name), 'INVALID_ARGUMENT');
        await assertRejects(async () => storage.head(name), 'INVALID_ARGUMENT');
        await assertRejects(async () => storage.create(name, text('x')), 'INVALID_ARGUMENT');
        await assertRejects(async () => storage.overwrite(name, text('x')), 'INVALID_ARGUMENT');
        await assertRejects(async () => storage.persist([name]), 'INVALID_ARGUMENT');
        await assertRejects(async () => storage.uri(name), 'INVALID_ARGUMENT');
      }
    },
  },
  {
    name: 'names: each has a URI of its own',
    async check({ storage, base }) {
      const uris = AWKWARD.map((name) => storage.uri(base + name));
      assert.equal(new Set(uris).size, AWKWARD.length);
      for (const uri of uris) assert.ok(URL.canParse(uri), uri);
    },
  },
];
