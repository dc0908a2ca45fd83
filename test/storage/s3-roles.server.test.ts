import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { type CollectionOptions, collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import type { CollectionResult } from '../../src/maintenance/collection/collection-result.ts';
import { openStorage } from '../../src/storage/open.ts';
import { errorOf, expectSame, noise, objectNames } from '../flow/fixtures.ts';
import { isContent, markClosed } from '../maintenance/collection/histories.ts';
import { assumeRole } from '../servers/assumed-roles.ts';
import { findBinary } from '../servers/binaries.ts';
import { newClient } from '../servers/s3-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/guide/permissions.md'), 'utf8');
const ROLES = ['Reader', 'Writer', 'Collector'] as const;
const SPEC = { runId: 'r1', stepName: 'fit', taskId: '0' };
const MIB = 1024 * 1024;
const DAY_MS = 24 * 60 * 60 * 1000;
/** What tells of failures that end no call. */
const CHANNELS = [
  'left-behind',
  'hint-failed',
  'heartbeat',
  'task-cache-failed',
  'report-failed',
  'close-failed',
].map((name) => `stowage:${name}`);
/** What every refusal says. */
const HELP =
  /may not do that.*readers need s3:GetObject and s3:ListBucket.*writers also s3:PutObject.*s3:DeleteObject/;
type Role = (typeof ROLES)[number];

interface Statement {
  Effect: 'Allow' | 'Deny';
  Action: string;
  Resource: string;
}

/** Keeps objects of a store from being deleted, whatever else is allowed. */
function denied(names: string): Statement {
  return { Effect: 'Deny', Action: 's3:DeleteObject', Resource: `team/stowage/${names}` };
}

/** The policy of a role as the guide has it, for a bucket and the prefix of a store in it. */
function policyOf(role: Role, bucket: string, prefix: string): { Statement: Statement[] } {
  const [, json] = new RegExp(`\\n${role}:\\n\\n\`\`\`json\\n([^\`]*)\`\`\``).exec(PAGE) ?? [];
  return JSON.parse((json as string).replaceAll('my-bucket', bucket).replaceAll('team/stowage', prefix));
}

const minio = s3Servers().find(({ name }) => name === 'minio');
if (!findBinary('minio'))
  console.warn('\nNOT TESTED: the policies of docs/guide/permissions.md. There is no minio.\n');

describe.runIf(minio)('the policies of the guide, on minio', () => {
  const inUse = useS3Server(minio as NonNullable<typeof minio>);
  const opened: FlowDataStore[] = [];
  afterEach(async () => {
    for (const flow of opened.splice(0)) {
      await flow.close();
      await flow.storage.close();
    }
  });

  /** A store at a prefix of a new bucket, for who has a role. */
  async function newStore(): Promise<(role: Role, extra?: Statement) => Promise<FlowDataStore>> {
    const { bucket, prefix: _, ...access } = await inUse.newPlace();
    return async (role, extra) => {
      const policy = policyOf(role, bucket, 'team/stowage');
      if (extra) policy.Statement.push({ ...extra, Resource: `arn:aws:s3:::${bucket}/${extra.Resource}` });
      const credentials = await assumeRole(access, policy);
      const s3 = { ...access, credentials, partBytes: 5 * MIB };
      const storage = await openStorage(`s3://${bucket}/team/stowage`, { s3 });
      const flow = await FlowDataStore.open({ flowName: 'Test', storage });
      opened.push(flow);
      return flow;
    };
  }

  it('let a writer save everything that tasks save, tell nobody of failures, and delete nothing', async () => {
    const open = await newStore();
    const writer = await open('Writer');
    const failures: unknown[] = [];
    const listen = (message: unknown): void => void failures.push(message);
    for (const channel of CHANNELS) subscribe(channel, listen);
    try {
      await writer.task(SPEC, async (task) => {
        await task.saveArtifacts({ auc: 0.91, medium: noise(100_000, 1), large: noise(12 * MIB, 2) });
        await task.saveLogs('task', { stdout: 'done\n' });
        task.report('loss').text('it fell');
        await task.checkpoint.save({ epoch: 1 });
      });
      const stream = writer.files.create('parts.bin', { plain: true });
      await stream.write(noise(11 * MIB, 3));
      await stream.close();
      const call = writer.cachedTask({
        name: 'twice',
        version: '1',
        serialize: true,
        run: async (x: number) => 2 * x,
      });
      expect([await call(2), await call(2)]).toEqual([4, 4]);
    } finally {
      for (const channel of CHANNELS) unsubscribe(channel, listen);
    }
    expect(failures).toEqual([]);
    expectSame(await (await writer.getTaskDataStore('r1/fit/0')).loadArtifacts(['auc', 'medium']), {
      auc: 0.91,
      medium: noise(100_000, 1),
    });

    const names = await objectNames(writer.storage);
    const refused = await writer.storage.delete(names);
    expect(refused.map(({ name }) => name).sort()).toEqual(names);
    for (const { error } of refused) expect(error.message).toMatch(HELP);
    expect(await objectNames(writer.storage)).toEqual(names);
    const [saved] = await writer.caStore.saveBlobs([noise(70_000, 4)]);
    const error = await errorOf(writer.caStore.release(saved?.session as string), 'STORAGE_NOT_PERMITTED');
    expect(error.message).toMatch(HELP);
  });

  it('let a reader load and plan, and write nothing', async () => {
    const open = await newStore();
    const reader = await open('Reader');
    await errorOf(reader.getTaskDataStore('r1/fit/0'), 'NO_SUCH_STORE');
    const writer = await open('Writer');
    await writer.task(SPEC, (task) => task.saveArtifacts({ auc: 0.91, large: noise(300_000, 1) }));
    const names = await objectNames(writer.storage);

    const task = await reader.getTaskDataStore('r1/fit/0');
    expectSame(await task.loadArtifacts(), { auc: 0.91, large: noise(300_000, 1) });
    await errorOf(reader.getTaskDataStore('r1/fit/7'), 'TASK_NOT_FOUND');
    expect(await collect(reader, { dryRun: true })).toMatchObject({ outcome: 'dry-run' });
    for (const write of [
      () => reader.task({ ...SPEC, taskId: '1' }, async () => {}),
      () => reader.caStore.saveBlobs([noise(70_000, 4)]),
      () => reader.createRun({ runId: 'r2' }),
      () => collect(reader, { nowMs: Date.now() + 2 * DAY_MS }),
    ]) {
      const error = await errorOf(write, 'STORAGE_NOT_PERMITTED');
      expect(error.message).toMatch(HELP);
    }
    expect(await objectNames(writer.storage)).toEqual(names);
  });

  it('let a collector mark, collect, and give up on silent sessions; who may not delete is told, and what stays goes later', async () => {
    const open = await newStore();
    const [writer, collector] = [await open('Writer'), await open('Collector')];
    for (const taskId of ['0', '1'])
      await writer.task({ ...SPEC, taskId }, (task) =>
        task.saveArtifacts({ own: noise(20_000, 5), large: noise(400_000, 10 + Number(taskId)) }),
      );
    const silent = await writer.createTaskDataStore({ ...SPEC, taskId: 'silent' });
    await silent.saveArtifacts({ large: noise(300_000, 9) });
    await markClosed(collector.storage, '0', 'DELETED');
    const content = async (): Promise<string[]> => (await objectNames(writer.storage)).filter(isContent);
    const before = await content();

    // What is refused is told, and condemned by whatever comes later.
    for (let round = 1; round <= 2; round++) {
      const refused = await collect(writer);
      expect(refused).toMatchObject({ outcome: 'collected', deleted: { copies: 0, packs: 0, values: 0 } });
      expect(refused.unconfirmed.map(({ entry }) => entry.kind).sort()).toEqual(['copy', 'pack']);
      expect(refused.undeleted.some(({ uri }) => uri.includes('/values/'))).toBe(true);
      for (const { error } of [...refused.unconfirmed, ...refused.undeleted]) {
        expect(error).toMatchObject({ code: 'STORAGE_NOT_PERMITTED' });
        expect(error.message).toMatch(HELP);
      }
    }
    expect(await content()).toEqual(before);
    // What is condemned is nobody's to rely on: equal content is written anew, and lives.
    await writer.task({ ...SPEC, taskId: '2' }, (task) => task.saveArtifacts({ large: noise(400_000, 10) }));

    // It does not stop the rest.
    const partly = await collect(await open('Collector', denied('packs/*')));
    expect(partly).toMatchObject({ deleted: { copies: 1, packs: 0, values: 1 }, undeleted: [] });
    expect(partly.unconfirmed.map(({ entry }) => entry.kind)).toEqual(['pack']);
    expect(await collect(collector)).toMatchObject({
      outcome: 'collected',
      deleted: { copies: 0, packs: 1 },
      unconfirmed: [],
    });
    const later = { nowMs: Date.now() + 2 * DAY_MS };
    expect(await collect(collector, later)).toMatchObject({ abandoned: 1 });
    expect(await collect(collector, later)).toMatchObject({ deleted: { copies: 1, packs: 1 } });
    expect(await collect(collector, later)).toMatchObject({ outcome: 'nothing' });
    for (const [taskId, seed] of [
      ['1', 11],
      ['2', 10],
    ] as const) {
      const read = await writer.getTaskDataStore(`r1/fit/${taskId}`);
      expectSame(await read.loadArtifacts(['large']), { large: noise(400_000, seed) });
    }
  });
});

describe.runIf(minio)('a bucket that keeps versions under an object lock, on minio', () => {
  const inUse = useS3Server(minio as NonNullable<typeof minio>);

  it('is collected as any other: what went is seen by nobody, its versions stay, and a deletion can be taken back', async () => {
    const { bucket: _, prefix, ...access } = await inUse.newPlace();
    const { s3, client } = await newClient(access);
    const Bucket = 'locked';
    await client.send(new s3.CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
    const DefaultRetention = { Mode: 'COMPLIANCE', Days: 1 } as const;
    const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention } } as const;
    await client.send(new s3.PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }));
    await using storage = await openStorage(`s3://${Bucket}/${prefix}`, { s3: access });
    await using flow = await FlowDataStore.open({ flowName: 'Test', storage });
    await flow.task(SPEC, (task) => task.saveArtifacts({ large: noise(400_000, 1) }));
    await markClosed(storage, '0', 'DELETED');
    expect(await collect(flow)).toMatchObject({ deleted: { copies: 1, packs: 1 }, unconfirmed: [] });
    expect(await collect(flow)).toMatchObject({ outcome: 'nothing' });
    expect((await objectNames(storage)).filter(isContent)).toEqual([]);

    // As the guide has it: what was deleted comes back, but what the collector and open sessions keep, and the mark goes.
    const { DeleteMarkers = [] } = await client.send(new s3.ListObjectVersionsCommand({ Bucket }));
    for (const { Key, VersionId } of DeleteMarkers) {
      if (/(^|\/)(gc|pins|beats)\//.test(Key as string)) continue;
      await client.send(new s3.DeleteObjectCommand({ Bucket, Key, VersionId }));
    }
    await storage.delete(['flows/Test/r1/fit/0/0.DELETED']);
    expect(await collect(flow)).toMatchObject({ outcome: 'nothing' });
    expectSame(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts(), { large: noise(400_000, 1) });
    client.destroy();
  });
});

/** Collects as another process does. */
async function collect(
  { storage }: FlowDataStore,
  options: CollectionOptions = {},
): Promise<CollectionResult> {
  const content = new ContentAddressedStore(storage);
  try {
    return await collectGarbage(content, options);
  } finally {
    await content.close();
  }
}
