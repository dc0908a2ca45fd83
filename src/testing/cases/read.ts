import assert from 'node:assert/strict';
import type { FilledObject } from '../../storage/contract.ts';
import { assertBytes, assertRejects, beside, type CaseBody, pattern, text } from './case.ts';

const SIZES = [0, 1, 1000, 200_000];

export const readCases: readonly CaseBody[] = [
  {
    name: 'get and head: what does not exist is undefined, in folders that do not exist and below objects as well',
    async check({ storage, base }) {
      await storage.create(`${base}a`, text('x'));
      await storage.create(`${base}d/b`, text('x'));
      for (const name of ['missing', 'no/such/folder', 'a/below', 'a/below/deeper', 'd']) {
        assert.equal(await storage.get(base + name), undefined, `get ${name}`);
        assert.equal(await storage.head(base + name), undefined, `head ${name}`);
      }
    },
  },
  {
    name: 'get and head: tell name, length, time and version alike',
    async check({ storage, base }) {
      await storage.create(`${base}a`, pattern(1234));
      const info = await storage.head(`${base}a`);
      const { body, ...told } = (await storage.get(`${base}a`)) ?? {};
      assert.deepEqual(told, info);
      assert.equal(info?.name, `${base}a`);
      assert.equal(info?.bytes, 1234);
      assert.equal(typeof info?.version, 'string');
      // The storage's clock need not be ours; an hour tells seconds from milliseconds.
      assert.ok(Math.abs((info?.modifiedAtMs ?? 0) - Date.now()) < 3_600_000, 'milliseconds since 1970');
      assert.equal(body?.length, 1234);
    },
  },
  {
    name: 'get: a range is the part it names, cut off at the end of the object',
    async check({ storage, base }) {
      for (const size of SIZES) {
        const whole = pattern(size);
        await storage.create(`${base}${size}`, whole);
        const edges = [0, 1, size >> 1, size - 1, size, size + 1, size + 100_000].filter((edge) => edge >= 0);
        for (const offset of edges) {
          for (const length of edges) {
            const part = await storage.get(`${base}${size}`, { range: { offset, length } });
            const expected = whole.subarray(offset, offset + length);
            assertBytes(part?.body, expected, `${offset}+${length} of ${size}`);
            assert.equal(part?.bytes, size, 'the length of the whole object');
          }
        }
      }
      assert.equal(await storage.get(`${base}missing`, { range: { offset: 0, length: 1 } }), undefined);
    },
  },
  {
    name: 'get: more than maxBytes is OBJECT_TOO_LARGE, counted after the range was cut',
    async check({ storage, base }) {
      await storage.create(`${base}a`, pattern(100));
      const name = `${base}a`;
      await assertRejects(() => storage.get(name, { maxBytes: 99 }), 'OBJECT_TOO_LARGE');
      await assertRejects(() => storage.get(name, { maxBytes: 0 }), 'OBJECT_TOO_LARGE');
      const tooLong = { maxBytes: 9, range: { offset: 50, length: 10 } };
      await assertRejects(() => storage.get(name, tooLong), 'OBJECT_TOO_LARGE');
      assert.equal((await storage.get(name, { maxBytes: 100 }))?.body.length, 100);
      assert.equal(
        (await storage.get(name, { maxBytes: 10, range: { offset: 50, length: 10 } }))?.body.length,
        10,
      );
      assert.equal(
        (await storage.get(name, { maxBytes: 10, range: { offset: 90, length: 999 } }))?.body.length,
        10,
      );
      assert.equal(
        (await storage.get(name, { maxBytes: 0, range: { offset: 100, length: 5 } }))?.body.length,
        0,
      );
    },
  },
  {
    name: 'get: a range that is no range is refused',
    async check({ storage, base }) {
      await storage.create(`${base}a`, pattern(100));
      for (const wrong of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        const offset = { range: { offset: wrong, length: 1 } };
        const length = { range: { offset: 0, length: wrong } };
        await assertRejects(() => storage.get(`${base}a`, offset), 'INVALID_ARGUMENT');
        await assertRejects(() => storage.get(`${base}a`, length), 'INVALID_ARGUMENT');
      }
    },
  },
  {
    name: 'get: the bytes are the caller’s own',
    async check({ storage, base }) {
      for (const size of [100, 200_000]) {
        await storage.create(`${base}${size}`, pattern(size));
        const first = await storage.get(`${base}${size}`);
        first?.body.fill(0xff);
        assertBytes((await storage.get(`${base}${size}`))?.body, pattern(size), `${size} bytes`);
      }
    },
  },
  {
    name: 'getInto, where there is one: fills the memory with the part, as far as the object goes, and touches none beside',
    async check({ storage, base }) {
      if (!storage.getInto) return;
      for (const size of [0, 1000, 1_500_000]) {
        const whole = pattern(size);
        await storage.create(`${base}${size}`, whole);
        const info = await storage.head(`${base}${size}`);
        for (const offset of [0, 1, size >> 1, size + 1]) {
          for (const lengths of [[], [0, 1, 0, 7], [48, 500, 48, 452], [1, 1_400_000, 200_000]]) {
            const memory = new Uint8Array(lengths.reduce((sum, length) => sum + length, lengths.length + 1));
            memory.fill(0xee);
            let end = 0;
            const into = lengths.map((length) => {
              const piece = memory.subarray(end + 1, end + 1 + length);
              end += 1 + length;
              return piece;
            });
            const object: FilledObject | undefined = await storage.getInto(`${base}${size}`, {
              offset,
              into,
            });
            assert.ok(object);
            const { filled, ...told }: FilledObject = object;
            const title = `${offset}+${lengths} of ${size}`;
            assert.deepEqual(told, info, title);
            const bytes = lengths.reduce((sum, length) => sum + length, 0);
            const expected = whole.subarray(offset, offset + bytes);
            assert.equal(filled, expected.length, title);
            assertBytes(Buffer.concat(into).subarray(0, filled), expected, title);
            let beside = 0;
            for (const length of lengths) {
              assert.equal(memory[beside], 0xee, `${title}: the byte before a piece`);
              beside += 1 + length;
            }
            assert.equal(memory[beside], 0xee, `${title}: the byte after the last piece`);
          }
        }
      }
      const into = [new Uint8Array(10)];
      assert.equal(await storage.getInto(`${base}missing`, { offset: 0, into }), undefined);
      const signal = AbortSignal.abort();
      await assertRejects(
        () => storage.getInto?.(`${base}1000`, { offset: 0, into }, { signal }) ?? Promise.resolve(),
        'ABORTED',
      );
    },
  },
  {
    name: 'get: a reader beside a writer sees nothing or the whole object',
    async check({ storage, open, base }) {
      const reader = await open();
      const body = pattern(400_000);
      const look = async (): Promise<void> => {
        const seen = await reader.get(`${base}19`);
        if (seen) assertBytes(seen.body, body, 'beside its writer');
      };
      await beside(look, async () => {
        for (let i = 0; i < 20; i += 1) await storage.create(`${base}${i}`, body);
      });
    },
  },
  {
    name: 'get, head and persist: an aborted call throws ABORTED',
    async check({ storage, base }) {
      const signal = AbortSignal.abort();
      await storage.create(`${base}a`, pattern(100));
      await assertRejects(() => storage.get(`${base}a`, { signal }), 'ABORTED');
      await assertRejects(() => storage.head(`${base}a`, { signal }), 'ABORTED');
      await assertRejects(() => storage.persist([`${base}a`], { signal }), 'ABORTED');
    },
  },
];
