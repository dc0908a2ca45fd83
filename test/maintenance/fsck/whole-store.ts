import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { digestHex } from '../../../src/digest/blake3.ts';
import { FlowDataStore } from '../../../src/flow-data-store.ts';
import { evictedName, parseEntryName } from '../../../src/format/cache-names.ts';
import {
  collectionVersionName,
  encodeCollectionList,
  encodeCollectionVersion,
} from '../../../src/format/collection-records.ts';
import {
  type CopyName,
  copyName,
  damagedMarkOf,
  packName,
  parseCopyName,
} from '../../../src/format/content-names.ts';
import { beatName, encodeBeat } from '../../../src/format/open-session.ts';
import { createPolicyRecord } from '../../../src/format/policy-record.ts';
import { encodeRecord } from '../../../src/format/record.ts';
import { encodeReportVersion, reportVersionName } from '../../../src/format/report-records.ts';
import { encodeDone } from '../../../src/format/session-files.ts';
import { newSessionId } from '../../../src/format/session-id.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import {
  type CheckOptions,
  type CheckSummary,
  checkStore,
} from '../../../src/maintenance/fsck/check-store.ts';
import type { Finding } from '../../../src/maintenance/fsck/finding.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { StorageDecorator } from '../../../src/storage/decorator.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { openStorage } from '../../../src/storage/open.ts';
import { noise, objectNames, scratchFolder } from '../../flow/fixtures.ts';

/** All objects of a store, and of the other place where content of it lies. */
export interface Objects {
  home: Map<string, Uint8Array>;
  place: Map<string, Uint8Array>;
}

export const DAY_MS: number = 24 * 60 * 60 * 1000;
const STEP = { runId: 'r1', stepName: 'fit' };
const MOST_NAMES = 4000;

/** Makes a store that holds something of every kind, and reads all of its objects. */
export async function makeWholeStore({ localReads }: { localReads: boolean }): Promise<Objects> {
  const storage = new MemoryStorage('', { localReads });
  const folder = scratchFolder();
  const place = join(folder, 'place');
  const flow = await FlowDataStore.open({ flowName: 'Train', storage });
  await makeRuns(flow, join(folder, 'project'));
  await makeAttempts(flow, join(folder, 'files'));
  await makeRetries(flow);
  await makeCache(flow);
  await makeElsewhere(flow, place);
  const [released, kept] = await flow.caStore.saveBlobs([noise(70_000, 31), noise(270_000, 32)]);
  await flow.caStore.saveData([{ name: 'page.html', data: noise(90_000, 33) }]);
  if (!released || !kept) throw new Error('nothing was saved');
  const [other] = await flow.caStore.saveBlobs([noise(71_000, 34)]);
  await flow.caStore.release(other?.session as string);
  await flow.close();
  await collect(storage);
  await makeByHand(storage);
  // Behind the collection, so that pins and beats are there.
  await makeOpen(storage);
  const raw = await openStorage(place);
  const objects = { home: await readAll(storage), place: await readAll(raw) };
  await raw.close();
  return objects;
}

async function makeRuns(flow: FlowDataStore, project: string): Promise<void> {
  mkdirSync(join(project, 'src'), { recursive: true });
  writeFileSync(join(project, 'main.ts'), 'await run();');
  writeFileSync(join(project, 'src', 'data.bin'), noise(270_000, 41));
  const run = await flow.createRun({
    runId: 'r1',
    tags: ['nightly'],
    parameters: { rate: 0.1 },
    code: project,
  });
  await run.finish('failed', new Error('out of memory'));
  await run.finish('done');
  await run.pin({ reason: 'published' });
  await run.unpin();
}

async function makeAttempts(flow: FlowDataStore, files: string): Promise<void> {
  mkdirSync(files, { recursive: true });
  for (const [index, bytes] of [10, 5_000, 265_000].entries())
    writeFileSync(join(files, `${index}.bin`), noise(bytes, 51 + index));
  const shared = noise(400_000, 1);
  await flow.task({ ...STEP, taskId: 'values' }, async (task) => {
    await task.saveArtifacts({ inline: { auc: 0.9 }, small: noise(30_000, 2), other: noise(20_000, 3) });
    await task.saveArtifacts({ medium: noise(100_000, 4), large: shared, text: 'a'.repeat(90_000) });
    await task.saveLogs('task', { stdout: 'line 1\n' });
    await task.saveLogs('task', { stdout: 'line 2\n' });
    await task.saveLogs('task', { stdout: 'line 3\n' });
    await task.saveMetadata({ took: 12 });
    task.report('loss').text('falling');
  });
  await flow.task({ ...STEP, taskId: 'references' }, async (task) => {
    const file = await task.files.fromLocal(join(files, '2.bin'));
    const directory = await task.directories.fromLocal(files);
    await task.saveArtifacts({ file, directory, nested: [{ file }] });
  });
  await flow.task({ ...STEP, taskId: 'shared' }, (task) =>
    task.saveArtifacts({ again: shared, more: noise(30_000, 2) }),
  );
  for (const taskId of ['purged', 'deleted']) {
    await flow.task({ ...STEP, taskId }, (task) =>
      task.saveArtifacts({ gone: noise(80_000, taskId.length), small: noise(20_000, taskId.length) }),
    );
    await flow.storage.create(`flows/Train/r1/fit/${taskId}/0.${taskId.toUpperCase()}`, new Uint8Array(0));
  }
  await flow.storage.delete(['flows/Train/r1/fit/deleted/0.metadata.json']);
  await flow.task({ ...STEP, taskId: 'erased' }, (task) =>
    task.saveArtifacts({ kept: noise(82_000, 7), gone: { name: 'somebody' } }),
  );
  const scrubbed = await flow.createTaskDataStore({ ...STEP, taskId: 'scrubbed' });
  await scrubbed.saveLogs('task', { stdout: 'secret\n' });
  await scrubbed.saveLogs('task', { stdout: 'more\n' });
  await scrubbed.scrubLogs();
  await scrubbed.saveLogs('task', { stdout: 'harmless\n' });
  await scrubbed.done();
}

/** Attempts that did not come to an end, with what their next ones may go on from. */
async function makeRetries(flow: FlowDataStore): Promise<void> {
  const failed = await flow.createTaskDataStore({ ...STEP, taskId: 'retried' });
  await failed.trace('load', async (which: string) => noise(70_000, which.length))('first');
  await failed.checkpoint.save({ state: noise(68_000, 61) });
  await failed.checkpoint.save({ state: noise(69_000, 62) });
  await failed.saveMetadata({ epoch: 1 });
  failed.report('so-far').text('half way');
  await failed.saveArtifacts({ partial: noise(75_000, 63) });
  await failed.fail(new Error('diverged'));
  await flow.createTaskDataStore({ ...STEP, taskId: 'abandoned' });
  const { session } = JSON.parse(await textOf(flow.storage, 'flows/Train/r1/fit/abandoned/0.attempt.json'));
  const subject = { flow: 'Train', run: 'r1', step: 'fit', task: 'abandoned', attempt: 0 };
  const done = { outcome: 'abandoned', session, closedAt: new Date().toISOString() } as const;
  await flow.storage.create('flows/Train/r1/fit/abandoned/0.DONE', encodeDone(done, subject));
}

async function makeCache(flow: FlowDataStore): Promise<void> {
  const judge = flow.cachedTask({
    name: 'judge',
    version: '1',
    run: async (input: { prompt: string }) => ({
      text: input.prompt,
      vector: noise(70_000, 71),
      small: noise(20_000, 72),
    }),
    serialize: true,
  });
  await judge({ prompt: 'first' });
  await judge({ prompt: 'second' });
}

async function makeElsewhere(flow: FlowDataStore, place: string): Promise<void> {
  await flow.task({ ...STEP, taskId: 'elsewhere', rawDataPath: place }, (task) =>
    task.saveArtifacts({ far: noise(100_000, 81), farther: noise(270_000, 82), near: noise(20_000, 83) }),
  );
}

/** What long work, an erasure, a large collection and a reader that found damage leave. */
async function makeByHand(storage: DataStoreStorage): Promise<void> {
  const none = new Uint8Array(0);
  const attempt = 'flows/Train/r1/fit/erased/0';
  const { digest: _, ...described } = JSON.parse(await textOf(storage, `${attempt}.metadata.json`));
  const [kept] = described.artifacts;
  const erased = { ...described, artifacts: [kept], reason: 'asked for', erased: ['gone'] };
  await storage.create(`${attempt}.ERASED.00000000.json`, encodeRecord(erased));
  await storage.delete([`${attempt}.metadata.json`]);

  const retried = { flow: 'Train', run: 'r1', step: 'fit', task: 'retried' };
  const { reports } = JSON.parse(await textOf(storage, 'flows/Train/r1/fit/retried/0.metadata.json'));
  const { name, title, ...content } = reports[0];
  for (const version of [0, 1]) {
    const record = { session: newSessionId(), report: { name, title, content } };
    await storage.create(
      reportVersionName(retried, 0, name, version),
      encodeReportVersion(retried, 0, version, record),
    );
  }

  const session = newSessionId();
  const lists = [];
  for (const k of [0, 1]) {
    const condemned = [{ place: '', kind: 'pack', name: packName(newSessionId(), k) }] as const;
    const list = {
      name: `gc/lists/${session}/0000000${k}`,
      digest: digestHex(encodeCollectionList(condemned)),
    };
    await storage.create(list.name, encodeCollectionList(condemned));
    lists.push(list);
  }
  const version = { version: 4, state: 'idle', session, condemned: [], lists } as const;
  await storage.create(collectionVersionName(4), encodeCollectionVersion(version));

  await createPolicyRecord(storage, { keepLast: 10 }, {});
  await createPolicyRecord(storage, undefined, {});
  const names = await objectNames(storage);
  const keys = names.flatMap((one) => parseEntryName(one) ?? []);
  await storage.create(evictedName(keys[0] as string), none);
  const copy = parseCopyName(names.find((one) => one.startsWith('data/')) as string) as CopyName;
  const bytes = (await storage.get(names.find((one) => one.startsWith('data/')) as string))
    ?.body as Uint8Array;
  const damaged = copyName('data', copy.key, newSessionId(), 0, bytes.length);
  await storage.create(damaged, bytes.fill(0, 48, 60));
  await storage.create(damagedMarkOf(damaged), none);
  for (const one of names.filter((each) => each.endsWith('.lease.000000000001.json'))) {
    const { session: owner } = JSON.parse(await textOf(storage, one));
    await storage.overwrite(beatName(owner), encodeBeat(owner, new Date().toISOString()));
  }
}

/** Attempts that are open, and whose processes are gone. */
async function makeOpen(storage: MemoryStorage): Promise<void> {
  const flow = await FlowDataStore.open({ flowName: 'Train', storage });
  const open = await flow.createTaskDataStore({ ...STEP, taskId: 'open' });
  await open.saveArtifacts({ saved: noise(110_000, 91), small: noise(20_000, 92) });
  await open.saveMetadata({ epoch: 2 });
  const other = await flow.createTaskDataStore({ ...STEP, taskId: 'open-too' });
  await other.saveArtifacts({ saved: noise(111_000, 93) });
}

async function collect(storage: DataStoreStorage): Promise<void> {
  const content = new ContentAddressedStore(storage);
  await collectGarbage(content);
  await content.close();
}

async function textOf(storage: DataStoreStorage, name: string): Promise<string> {
  return Buffer.from((await storage.get(name))?.body ?? []).toString();
}

export async function readAll(storage: DataStoreStorage): Promise<Map<string, Uint8Array>> {
  const objects = new Map<string, Uint8Array>();
  for (const name of await objectNames(storage))
    objects.set(name, (await storage.get(name))?.body ?? new Uint8Array(0));
  if (objects.size > MOST_NAMES) throw new Error('more objects than a test should make');
  return objects;
}

/** A store of these objects, and how its other place is opened. */
export async function storeOf(
  { home, place }: Objects,
  { localReads }: { localReads: boolean },
): Promise<Pick<CheckOptions, 'store' | 'openPlace'> & { store: MemoryStorage }> {
  const [store, raw] = [new MemoryStorage('', { localReads }), new MemoryStorage('', { localReads })];
  for (const [name, bytes] of home) await store.create(name, bytes);
  for (const [name, bytes] of place) await raw.create(name, bytes);
  return { store, openPlace: () => new Kept(raw) };
}

/** A storage that is used again once somebody has closed it. */
class Kept extends StorageDecorator {
  override async close(): Promise<void> {}
}

/** A check, in two days: nothing that the store holds is under way any more. */
export async function check(options: CheckOptions): Promise<{ findings: Finding[]; summary: CheckSummary }> {
  const running = checkStore({ nowMs: Date.now() + 2 * DAY_MS, ...options });
  const findings: Finding[] = [];
  for await (const finding of running) findings.push(finding);
  return { findings, summary: running.summary };
}
