import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import {
  publishedRecordName,
  readPublishedRecord,
  withdrawnMarkName,
} from '../../../src/format/published-names.ts';
import { SESSION_FILES, standaloneFiles } from '../../../src/format/session-files.ts';
import { type CheckOptions, checkStore } from '../../../src/maintenance/fsck/check-store.ts';
import type { Finding } from '../../../src/maintenance/fsck/finding.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { DAY_MS } from './whole-store.ts';

const version = (number: number, name = 'm'): { name: string; version: number } => ({
  name,
  version: number,
});

async function publishedStore(): Promise<{ storage: MemoryStorage; flow: FlowDataStore }> {
  const storage = new MemoryStorage('', { localReads: false });
  const flow = await openFlow({ storage });
  await saveTask(flow, { small: 1, own: noise(20_000, 1), large: noise(700_000, 2) });
  for (const artifact of ['small', 'own', 'large', 'small'])
    await flow.publish('m', { task: 'r1/fit/0', artifact });
  await flow.publish('k', { task: 'r1/fit/0', artifact: 'own' });
  await flow.withdrawPublished('m', 4);
  return { storage, flow };
}

/** As a check two days later finds it, when nothing is under way any more. */
async function findings(storage: MemoryStorage, options: Partial<CheckOptions> = {}): Promise<Finding[]> {
  const found: Finding[] = [];
  const nowMs = Date.now() + 2 * DAY_MS;
  for await (const finding of checkStore({ store: storage, nowMs, ...options })) found.push(finding);
  return found;
}

async function sessionOf(storage: MemoryStorage, number: number): Promise<string> {
  return (await readPublishedRecord(storage, version(number), {}))?.session as string;
}

async function replace(storage: MemoryStorage, name: string, bytes: Uint8Array): Promise<void> {
  await storage.delete([name]);
  await storage.create(name, bytes);
}

describe('a check of published versions', () => {
  it('finds nothing in a store that is whole', async () => {
    const { storage } = await publishedStore();
    expect(await findings(storage)).toEqual([]);
    expect(await findings(storage, { since: new Date(0) })).toEqual([]);
    expect(await findings(storage, { flowName: 'Test' })).toEqual([]);
  });

  it.each([
    ['a record that is damaged', 1, Buffer.from('{}'), 'damaged', 'lost'],
    ['a record of another version', 2, undefined, 'damaged', 'lost'],
    ['a record that is missing', 2, null, 'missing', 'lost'],
    ['the record of a withdrawn one that is missing', 4, null, 'missing', 'damaged'],
  ] as const)('finds %s', async (_what, number, bytes, problem, severity) => {
    const { storage } = await publishedStore();
    const object = publishedRecordName(version(number));
    const other = (await storage.get(publishedRecordName(version(3))))?.body as Uint8Array;
    if (bytes === null) await storage.delete([object]);
    else await replace(storage, object, bytes ?? other);
    // Not that a session is left over: a record that tells nothing may be the one that points at it.
    const [found, ...more] = await findings(storage);
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      layer: 'names',
      problem: bytes === undefined ? 'misplaced' : problem,
      severity,
      object,
      concerns: [{ kind: 'published version', name: `m/${number}` }],
    });
  });

  it('finds a session that is missing, and says whose it is', async () => {
    const { storage } = await publishedStore();
    const { base } = standaloneFiles(await sessionOf(storage, 2));
    await storage.delete(Object.values(SESSION_FILES).map((file) => base + file));
    const found = (await findings(storage)).filter(({ layer }) => layer !== 'sessions'); // its pins are left over
    expect(found).toMatchObject([
      {
        layer: 'loose',
        problem: 'missing',
        severity: 'lost',
        object: base + SESSION_FILES.done,
        concerns: [{ kind: 'published version', name: 'm/2' }],
      },
    ]);
  });

  it('says of content that is lost which versions it concerns', async () => {
    const { storage } = await publishedStore();
    await storage.delete(await objectNames(storage, 'packs/'));
    const lost = (await findings(storage)).filter(({ severity }) => severity === 'lost');
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.flatMap(({ concerns }) => concerns)).toContainEqual({
      kind: 'published version',
      name: 'm/3',
    });
  });

  it('tells of a withdrawal that was interrupted, and of a session that was released by itself', async () => {
    const { storage, flow } = await publishedStore();
    await storage.create(withdrawnMarkName(version(3)), new Uint8Array());
    await flow.caStore.release(await sessionOf(storage, 1));
    const found = await findings(storage);
    expect(found.map(({ problem, severity, object }) => [problem, severity, object])).toEqual([
      ['leftover', 'notice', publishedRecordName(version(3))],
      ['contradiction', 'notice', publishedRecordName(version(1))],
    ]);
    await flow.withdrawPublished('m', 3);
    await flow.withdrawPublished('m', 1);
    expect(await findings(storage)).toEqual([]);
  });

  it('tells of what a publisher left that died before its version had a name, once a day has passed', async () => {
    const { storage } = await publishedStore();
    const session = await sessionOf(storage, 3);
    await storage.delete([
      publishedRecordName(version(3)),
      publishedRecordName(version(4)),
      withdrawnMarkName(version(4)),
    ]);
    const found = await findings(storage);
    expect(found).toMatchObject([
      { layer: 'names', problem: 'leftover', object: `loose/${session}.metadata.json` },
    ]);
    // The newest record may be lost, and what would be restored from a copy is not to be given up before.
    expect(found[0]?.message).toContain('the record of the newest version of a name was lost');
    expect(found[0]?.message).not.toContain('release');
    expect(await findings(storage, { nowMs: Date.now() })).toEqual([]);
  });

  it('tells of names that are none, and of marks with content', async () => {
    const { storage } = await publishedStore();
    await storage.create('names/m/latest.json', Buffer.from('{}'));
    await storage.delete([withdrawnMarkName(version(4))]);
    await storage.create(withdrawnMarkName(version(4)), Buffer.from('x'));
    expect((await findings(storage)).map(({ problem, object }) => [problem, object]).sort()).toEqual([
      ['damaged', withdrawnMarkName(version(4))],
      ['foreign', 'names/m/latest.json'],
    ]);
  });
});
