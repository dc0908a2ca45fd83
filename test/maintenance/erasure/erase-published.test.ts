import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evictedName } from '../../../src/format/cache-names.ts';
import { publishedRecordName } from '../../../src/format/published-names.ts';
import { createdName } from '../../../src/format/run-records.ts';
import { eraseFromStore } from '../../../src/maintenance/erasure/erase-from-store.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { errorOf, noise, openFlow, saveTask, scratchFolder } from '../../flow/fixtures.ts';
import { collect } from '../collection/collect.ts';
import { objectsWith } from './erased-store.ts';

describe.each([
  ['where looking is free', true],
  ['where looking costs requests', false],
])('an erasure of what was published, %s', (_what, localReads) => {
  it.each([20_000, 700_000])('of %d bytes takes it out, and says of which version', async (bytes) => {
    const storage = new MemoryStorage('', { localReads });
    const flow = await openFlow({ storage });
    const faces = noise(bytes, 1);
    await saveTask(flow, { faces, other: 'other' });
    for (const artifact of ['other', 'faces'])
      await flow.publish('m', { task: 'r1/fit/0', artifact, description: `holds ${artifact}` });
    const erasing = { store: storage, target: 'Test/r1/fit/0/0/faces', reason: 'asked for' };
    const dry = await eraseFromStore({ ...erasing, dryRun: true });
    expect(dry.holders.flatMap(({ published }) => published)).toEqual(['m/2']);
    expect(await eraseFromStore(erasing)).toMatchObject({ outcome: 'complete' });
    expect(await objectsWith(storage, faces)).toEqual([]);

    const latest = await flow.getPublished('m');
    expect(latest).toMatchObject({ version: 2, erased: 'asked for', description: 'holds faces' });
    const error = await errorOf(latest.load(), 'CONTENT_ERASED');
    expect(error.message).toMatch(/^Version 2 of m: .*asked for.*Withdraw the version/);
    expect((await flow.listPublished())[0]?.published?.erased).toBe('asked for');
    await flow.withdrawPublished('m', 2);
    expect(await (await flow.getPublished('m')).load()).toBe('other');
    // What was said of it goes with the version.
    await collect(storage);
    expect(await objectsWith(storage, Buffer.from('holds faces'))).toEqual([]);
  });
});

describe('an erasure', () => {
  it('is complete beside records of names and runs that cannot be read, and tells of the others', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const faces = noise(100_000, 1);
    const folder = scratchFolder();
    writeFileSync(join(folder, 'faces.bin'), faces);
    for (const runId of ['r1', 'r2']) await flow.createRun({ runId, code: folder });
    await saveTask(flow, { faces }, { runId: 'r1' });
    for (const name of ['a', 'b', 'a']) await flow.publish(name, { task: 'r1/fit/0', artifact: 'faces' });
    const judge = flow.cachedTask({ name: 'judge', version: '1', run: async (_of: number) => faces });
    const { key } = await judge.detailed(1);
    for (const object of [publishedRecordName({ name: 'b', version: 1 }), createdName('Test', 'r2')]) {
      await storage.delete([object]);
      await storage.create(object, Buffer.from('{}'));
    }

    const erasing = { store: storage, target: 'Test/r1/fit/0/faces', reason: 'asked for' };
    const result = await eraseFromStore(erasing);

    expect(result).toMatchObject({ outcome: 'complete', problems: [], counts: { cacheEntries: 1 } });
    expect(result.holders.flatMap(({ published }) => published).sort()).toEqual(['a/1', 'a/2']);
    expect(result.holders.flatMap(({ codeOf }) => codeOf)).toEqual(['Test/r1']);
    expect(await objectsWith(storage, faces)).toEqual([]);
    expect(await storage.head(evictedName(key))).toBeDefined();
  });
});
