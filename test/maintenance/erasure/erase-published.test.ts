import { describe, expect, it } from 'vitest';
import { eraseFromStore } from '../../../src/maintenance/erasure/erase-from-store.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { errorOf, noise, openFlow, saveTask } from '../../flow/fixtures.ts';
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
    for (const artifact of ['other', 'faces']) await flow.publish('m', { task: 'r1/fit/0', artifact });
    const erasing = { store: storage, target: 'Test/r1/fit/0/0/faces', reason: 'asked for' };
    const dry = await eraseFromStore({ ...erasing, dryRun: true });
    expect(dry.holders.flatMap(({ published }) => published)).toEqual(['m/2']);
    expect(await eraseFromStore(erasing)).toMatchObject({ outcome: 'complete' });
    expect(await objectsWith(storage, faces)).toEqual([]);

    const latest = await flow.getPublished('m');
    expect(latest).toMatchObject({ version: 2, erased: 'asked for' });
    const error = await errorOf(latest.load(), 'CONTENT_ERASED');
    expect(error.message).toMatch(/^Version 2 of m: .*asked for.*Withdraw the version/);
    expect((await flow.listPublished())[0]?.published?.erased).toBe('asked for');
    await flow.withdrawPublished('m', 2);
    expect(await (await flow.getPublished('m')).load()).toBe('other');
  });
});
