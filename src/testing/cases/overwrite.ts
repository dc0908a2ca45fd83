import assert from 'node:assert/strict';
import { isStowageError } from '../../errors.ts';
import { assertBytes, assertRejects, beside, type CaseBody, pattern, text } from './case.ts';

export const overwriteCases: readonly CaseBody[] = [
  {
    name: 'overwrite: writes whatever was there, and returns the version that is read',
    async check({ storage, open, base }) {
      const other = await open();
      for (const body of [text('first'), text('second'), pattern(100_000), text('')]) {
        const version = await storage.overwrite(`${base}new/a`, body);
        const read = await other.get(`${base}new/a`);
        assertBytes(read?.body, body, 'overwritten');
        assert.equal(read?.version, version);
        assert.equal((await other.head(`${base}new/a`))?.version, version);
      }
    },
  },
  {
    name: 'overwrite: every version differs, though bytes and time may be the same',
    async check({ storage, base }) {
      const versions = new Set<string>();
      await storage.create(`${base}a`, text('same'));
      versions.add((await storage.head(`${base}a`))?.version ?? '');
      for (let i = 0; i < 100; i += 1) versions.add(await storage.overwrite(`${base}a`, text('same')));
      assert.equal(versions.size, 101);
    },
  },
  {
    name: 'overwrite: with ifMatch, only the version named is replaced',
    requires: (capabilities) => capabilities.ifMatch,
    async check({ storage, base }) {
      const name = `${base}a`;
      const first = await storage.overwrite(name, text('first'));
      const second = await storage.overwrite(name, text('second'), { ifMatch: first });
      assert.notEqual(second, first);
      await assertRejects(
        () => storage.overwrite(name, text('x'), { ifMatch: first }),
        'PRECONDITION_FAILED',
      );
      await assertRejects(
        () => storage.overwrite(name, text('x'), { ifMatch: 'none' }),
        'PRECONDITION_FAILED',
      );
      assertBytes((await storage.get(name))?.body, text('second'), 'a refused overwrite');
      await storage.overwrite(name, text('third'), { ifMatch: second });
      assertBytes((await storage.get(name))?.body, text('third'), 'a conditional overwrite');
    },
  },
  {
    name: 'overwrite: with ifMatch, an object that is gone or never was is PRECONDITION_FAILED',
    requires: (capabilities) => capabilities.ifMatch,
    async check({ storage, base }) {
      const version = await storage.overwrite(`${base}a`, text('first'));
      await storage.delete([`${base}a`]);
      for (const name of ['a', 'never']) {
        const call = (): Promise<string> => storage.overwrite(base + name, text('x'), { ifMatch: version });
        await assertRejects(call, 'PRECONDITION_FAILED');
        assert.equal(await storage.head(base + name), undefined);
      }
    },
  },
  {
    name: 'overwrite: of 30 with one ifMatch, through several instances, exactly one wins',
    requires: (capabilities) => capabilities.ifMatch,
    async check({ storage, open, base }) {
      const instances = [storage, await open(), await open()];
      let version = await storage.overwrite(`${base}a`, text('0'));
      for (let round = 0; round < 3; round += 1) {
        const racers = Array.from({ length: 30 }, async (_, i) => {
          const instance = instances[i % instances.length] ?? storage;
          return instance.overwrite(`${base}a`, text(`${round}-${i}`), { ifMatch: version });
        });
        const results = await Promise.allSettled(racers);
        const won = results.filter((result) => result.status === 'fulfilled');
        assert.equal(won.length, 1, 'winners');
        for (const result of results) {
          if (result.status === 'rejected')
            assert.ok(isStowageError(result.reason, 'PRECONDITION_FAILED'), String(result.reason));
        }
        version = won[0]?.value as string;
        assert.equal((await storage.head(`${base}a`))?.version, version);
      }
    },
  },
  {
    name: 'overwrite: a reader beside it sees one whole body or another',
    async check({ storage, open, base }) {
      const reader = await open();
      const size = 150_000;
      await storage.overwrite(`${base}a`, new Uint8Array(size));
      const look = async (): Promise<void> => {
        const body = (await reader.get(`${base}a`))?.body;
        assert.ok(body && body.length === size, 'whole');
        assertBytes(body, new Uint8Array(size).fill(body[0] as number), 'of one piece');
      };
      await beside(look, async () => {
        for (let i = 1; i <= 30; i += 1) {
          await storage.overwrite(`${base}a`, new Uint8Array(size).fill(i));
          await new Promise(setImmediate);
        }
      });
    },
  },
  {
    name: 'overwrite: the buffer is free afterwards; an aborted call changes nothing',
    async check({ storage, base }) {
      const body = pattern(100);
      await storage.overwrite(`${base}a`, body);
      body.fill(0xff);
      assertBytes((await storage.get(`${base}a`))?.body, pattern(100), 'after the buffer changed');
      const signal = AbortSignal.abort();
      await assertRejects(() => storage.overwrite(`${base}a`, body, { signal }), 'ABORTED');
      assertBytes((await storage.get(`${base}a`))?.body, pattern(100), 'after the abort');
    },
  },
];
