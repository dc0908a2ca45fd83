import assert from 'node:assert/strict';
import { mapBounded } from '../../async/bounded-work.ts';
import type { Durability } from '../../storage/contract.ts';
import {
  assertBytes,
  assertNothingListed,
  assertRejects,
  type CaseBody,
  createAll,
  namesOf,
  pattern,
  streamOf,
  text,
} from './case.ts';

const RACERS = 50;
const CONTESTED_NAMES = 100;
const CONTESTED_AT_ONCE = 32;
const DURABILITIES: readonly Durability[] = ['immediate', 'deferred', 'barrier'];

export const createCases: readonly CaseBody[] = [
  {
    name: 'create: what is created is read back by this and by another instance',
    async check({ storage, open, base }) {
      const body = pattern(1000);
      assert.equal(await storage.create(`${base}a`, body), true);
      assertBytes((await storage.get(`${base}a`))?.body, body, 'same instance');
      assertBytes((await (await open()).get(`${base}a`))?.body, body, 'other instance');
    },
  },
  {
    name: 'create: bodies of every size come back whole, from bytes and from streams',
    async check({ storage, base }) {
      for (const size of [0, 1, 65_535, 65_536, 65_537, 300_000, 5_000_000]) {
        const body = pattern(size);
        assert.equal(await storage.create(`${base}bytes-${size}`, body), true);
        assertBytes((await storage.get(`${base}bytes-${size}`))?.body, body, `${size} bytes`);
        const chunks = [body.subarray(0, size >> 1), new Uint8Array(0), body.subarray(size >> 1)];
        assert.equal(await storage.create(`${base}stream-${size}`, streamOf(chunks)), true);
        assertBytes((await storage.get(`${base}stream-${size}`))?.body, body, `stream of ${size} bytes`);
      }
    },
  },
  {
    name: 'create: a stream of many small chunks comes back whole, though its one buffer is used again',
    async check({ storage, base }) {
      const body = pattern(200_003);
      async function* reusing(): AsyncGenerator<Uint8Array> {
        const buffer = new Uint8Array(997);
        for (let offset = 0; offset < body.length; offset += buffer.length) {
          const part = body.subarray(offset, offset + buffer.length);
          buffer.set(part);
          yield buffer.subarray(0, part.length);
        }
      }
      await storage.create(`${base}a`, reusing());
      assertBytes((await storage.get(`${base}a`))?.body, body, 'stream of one buffer');
    },
  },
  {
    name: 'create: a web stream is a stream',
    async check({ storage, base }) {
      const body = pattern(100_000);
      await storage.create(
        `${base}a`,
        new Blob([body as Uint8Array<ArrayBuffer>]).stream() as AsyncIterable<Uint8Array>,
      );
      assertBytes((await storage.get(`${base}a`))?.body, body, 'web stream');
    },
  },
  {
    name: 'create: a name that is taken resolves to false and changes nothing',
    async check({ storage, open, base }) {
      assert.equal(await storage.create(`${base}a`, text('first')), true);
      const version = (await storage.head(`${base}a`))?.version;
      const second = await open();
      assert.equal(await storage.create(`${base}a`, text('second')), false);
      assert.equal(await second.create(`${base}a`, streamOf([text('third')])), false);
      assert.equal(await second.create(`${base}a`, pattern(100_000)), false);
      assertBytes((await storage.get(`${base}a`))?.body, text('first'), 'the first body');
      assert.equal((await storage.head(`${base}a`))?.version, version);
    },
  },
  {
    name: `create: of ${RACERS} at once, through several instances, exactly one wins`,
    requires: (capabilities) => capabilities.createIfAbsent,
    async check({ storage, open, base }) {
      const instances = [storage, await open(), await open()];
      for (const size of [10, 100_000]) {
        const name = `${base}new/folders/race-${size}`;
        const bodies = Array.from({ length: RACERS }, (_, i) => pattern(size).fill(i, 0, 10));
        const racers = bodies.map((body, i) => instances[i % instances.length]?.create(name, body));
        const results = await Promise.all(racers);
        assert.equal(results.filter((won) => won === true).length, 1, 'winners');
        assert.equal(results.filter((won) => won === false).length, RACERS - 1, 'losers');
        const winner = bodies[results.indexOf(true)] as Uint8Array;
        assertBytes((await storage.get(name))?.body, winner, "the winner's body");
      }
    },
  },
  {
    // A server that looks first and writes afterwards lets two through now and then: many names show it sooner than many racers.
    name: `create: of two at once, for each of ${CONTESTED_NAMES} names, exactly one wins`,
    requires: (capabilities) => capabilities.createIfAbsent,
    async check({ storage, open, base }) {
      const second = await open();
      const bodies = [text('of the one'), text('of the other')] as const;
      const names = Array.from({ length: CONTESTED_NAMES }, (_, i) => `${base}contested/${i}`);
      await mapBounded(names, CONTESTED_AT_ONCE, async (name) => {
        const won = await Promise.all([storage.create(name, bodies[0]), second.create(name, bodies[1])]);
        assert.notEqual(won[0], won[1], `${name} has ${won[0] ? 'two owners' : 'no owner'}`);
        const winner = won[0] ? bodies[0] : bodies[1];
        assertBytes((await storage.get(name))?.body, winner, "the winner's body");
      });
    },
  },
  {
    name: 'create: many names at once, in folders that do not exist yet',
    async check(context) {
      const names = Array.from(
        { length: 200 },
        (_, i) => `a${i % 7}/b${i % 11}/c${String(i).padStart(3, '0')}`,
      );
      await createAll(context, names);
      assert.deepEqual(await namesOf(context), names.sort());
    },
  },
  {
    name: 'create: a stream that fails rejects with its own error and leaves nothing',
    async check(context) {
      const { storage, base } = context;
      const failure = Object.assign(new Error('the source broke'), { code: 'ENOENT' });
      for (const chunks of [[], [text('some')], [pattern(600_000)]]) {
        await assert.rejects(storage.create(`${base}a`, streamOf(chunks, failure)), failure);
        assert.equal(await storage.get(`${base}a`), undefined);
      }
      await assertNothingListed(context);
      assert.equal(await storage.create(`${base}a`, text('later')), true, 'the name is still free');
    },
  },
  {
    name: 'create: an abort before or during it leaves nothing, even when the stream keeps silent',
    async check(context) {
      const { storage, base } = context;
      const before = AbortSignal.abort(new Error('changed my mind'));
      await assertRejects(() => storage.create(`${base}a`, text('x'), { signal: before }), 'ABORTED');
      const controller = new AbortController();
      let isTold = false;
      const silent: AsyncIterable<Uint8Array> = {
        [Symbol.asyncIterator]: () => ({
          next: () => {
            setImmediate(() => controller.abort());
            return new Promise(() => {});
          },
          return: async () => {
            isTold = true;
            return { done: true, value: undefined };
          },
        }),
      };
      await assertRejects(() => storage.create(`${base}a`, silent, { signal: controller.signal }), 'ABORTED');
      assert.ok(isTold, 'the stream is told that nobody reads it any more');
      assert.equal(await storage.head(`${base}a`), undefined);
      await assertNothingListed(context);
    },
  },
  {
    name: 'create: a body that is neither bytes nor a stream of bytes is refused',
    async check(context) {
      const { storage, base } = context;
      const wrong: unknown[] = [undefined, null, 'text', 7, {}, [1, 2]];
      for (const body of wrong) {
        await assertRejects(() => storage.create(`${base}a`, body as Uint8Array), 'INVALID_ARGUMENT');
      }
      const strings = streamOf(['text' as unknown as Uint8Array]);
      await assertRejects(() => storage.create(`${base}a`, strings), 'INVALID_ARGUMENT');
      await assertNothingListed(context);
    },
  },
  {
    name: "create: the caller's buffer is free once the promise settles",
    async check({ storage, base }) {
      for (const size of [100, 200_000]) {
        const body = pattern(size);
        await storage.create(`${base}${size}`, body);
        body.fill(0xff);
        assertBytes((await storage.get(`${base}${size}`))?.body, pattern(size), `${size} bytes`);
      }
    },
  },
  {
    name: 'create: with every durability the object is visible to all when the promise resolves',
    async check({ storage, open, base }) {
      const other = await open();
      for (const durability of DURABILITIES) {
        assert.equal(await storage.create(`${base}${durability}/a`, text(durability), { durability }), true);
        assert.equal(await storage.create(`${base}${durability}/a`, text('again'), { durability }), false);
        assertBytes((await other.get(`${base}${durability}/a`))?.body, text(durability), durability);
      }
      await storage.persist([`${base}deferred/a`, `${base}missing`]);
      await storage.persist([`${base}deferred/a`], { durability: 'barrier' });
      await storage.persist([], { durability: 'barrier' });
      assert.equal(await storage.create(`${base}done`, text(''), { durability: 'barrier' }), true);
    },
  },
  {
    name: 'create: barriers side by side, with deferred creates between them, all come to an end',
    async check(context) {
      const { storage, base } = context;
      const names = Array.from({ length: 60 }, (_, i) => `f${i % 5}/${String(i).padStart(2, '0')}`);
      const creates = names.map((name, i) =>
        storage.create(base + name, text(name), { durability: DURABILITIES[i % 3] }),
      );
      assert.ok((await Promise.all(creates)).every((created) => created));
      assert.equal((await namesOf(context)).length, names.length);
    },
  },
];
