import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { StowageError } from '../../src/errors.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { UnfinishedWrite, UnfinishedWrites } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openStorage, registerStorage } from '../../src/storage/open.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { newClient, unfinishedKeys } from '../servers/s3-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

/** The object that a process had begun to upload when it died. */
const BEGUN = `plain/${newSessionId()}-00000000/left-behind`;
/** What a process that died left in a folder. */
const LEFT = `${'0a'.repeat(12)}-1`;

afterEach(() => vi.unstubAllEnvs());

async function makeStore(storage: string): Promise<void> {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
}

for (const server of s3Servers().filter(({ isReal }) => isReal)) {
  describe(`stowage uploads, on ${server.name}`, () => {
    const inUse = useS3Server(server);

    /** A store, and what a process left there that died after it had sent two parts. */
    async function placeWithUpload() {
      const place = await inUse.newPlace();
      const { endpoint, region, credentials, bucket, prefix } = place;
      vi.stubEnv('AWS_ENDPOINT_URL', endpoint);
      vi.stubEnv('AWS_REGION', region);
      vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId);
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey);
      const store = `s3://${bucket}/${prefix}store`;
      await makeStore(store);
      const { s3, client } = await newClient(place);
      const begin = async (key: string): Promise<void> => {
        const object = { Bucket: bucket, Key: prefix + key };
        const { UploadId } = await client.send(new s3.CreateMultipartUploadCommand(object));
        for (const PartNumber of [1, 2]) {
          const Body = noise(5 * 1024 * 1024, PartNumber);
          await client.send(new s3.UploadPartCommand({ ...object, UploadId, PartNumber, Body }));
        }
      };
      await begin(`store/${BEGUN}`);
      await begin('elsewhere/not-ours');
      return { place, store, name: BEGUN, begin };
    }

    it('shows what a dead process left, and removes it only when told to', async () => {
      const { place, store, name } = await placeWithUpload();
      const old = await stowage(store, ['uploads']);
      expect(old).toMatchObject({ code: 0, stdout: '' });
      expect(old.stderr).toContain('stowage: no unfinished upload is older than 7d.\n');

      const shown = await stowage(store, ['uploads', '--older-than', '0s']);
      expect(shown.stdout).toMatch(/\/left-behind .* 10\.5 MB\n$/);
      expect(shown.stderr).toContain('1 unfinished upload, 10.5 MB: nothing was removed. To remove: --yes');
      expect(shown.stderr).toContain('some may be under way');
      expect(await unfinishedKeys(place)).toHaveLength(2);

      const { listed, uploads } = await json(store, ['uploads', '--older-than', '0s', '--yes']);
      expect(listed).toBe(true);
      expect(uploads).toMatchObject([{ name, bytes: 10 * 1024 * 1024, removed: true }]);
      expect(Date.parse(uploads[0].startedAt)).toBeGreaterThan(Date.now() - 600_000);
      // Those of other stores stay.
      expect(await unfinishedKeys(place)).toEqual([`${place.prefix}elsewhere/not-ours`]);
      expect(await json(store, ['uploads', '--older-than', '0s'])).toMatchObject({ uploads: [] });
    });

    it('leaves those of others alone whose names are none of a store, in whose midst the store lies', async () => {
      const { place, store, begin, name } = await placeWithUpload();
      const others = ['videos/film.mp4', 'data/train.csv', `packs/${newSessionId()}/film.mp4`];
      for (const other of others) await begin(`store/${other}`);
      const { stdout, stderr } = await stowage(store, ['uploads', '--older-than', '0s', '--yes']);
      expect(stdout).toContain('left-behind');
      for (const other of others) expect(stdout).not.toContain(other);
      expect(stderr).toContain('3 unfinished uploads there are left alone');
      const left = await unfinishedKeys(place);
      expect(left).toEqual(expect.arrayContaining(others.map((other) => `${place.prefix}store/${other}`)));
      expect(left).not.toContain(`${place.prefix}store/${name}`);
    });

    it('finds those at places elsewhere as well, and tells where', async () => {
      const { place } = await placeWithUpload();
      const home = join(scratchFolder(), 'home');
      const raw = `s3://${place.bucket}/${place.prefix}raw`;
      await using flow = await FlowDataStore.open({ flowName: 'Train', storage: home });
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0', rawDataPath: raw }, (task) =>
        task.saveArtifacts({ x: noise(20_000) }),
      );
      const [{ id, uri }] = (await flow.caStore.places()) as [{ id: string; uri: string }];
      const { s3, client } = await newClient(place);
      const name = BEGUN;
      const Key = `${place.prefix}raw/${await flow.caStore.storeId()}/${id}/${name}`;
      const { UploadId } = await client.send(
        new s3.CreateMultipartUploadCommand({ Bucket: place.bucket, Key }),
      );
      const part = { PartNumber: 1, Body: noise(2_000_000) };
      await client.send(new s3.UploadPartCommand({ Bucket: place.bucket, Key, UploadId, ...part }));
      const shown = await stowage(home, ['uploads', '--older-than', '0s']);
      expect(shown.stdout).toContain(`${name} at ${uri}`);
      const removed = await json(home, ['uploads', '--older-than', '0s', '--yes']);
      expect(removed.uploads).toMatchObject([{ place: uri, name, bytes: 2_000_000, removed: true }]);
      expect(await unfinishedKeys(place)).not.toContain(Key);

      vi.stubEnv('AWS_ACCESS_KEY_ID', '');
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', '');
      vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
      const unreachable = await stowage(home, ['uploads']);
      expect(unreachable.code).toBe(3);
      expect(unreachable.stderr).toContain(uri);
    });

    it('tells of one that somebody else removed meanwhile as removed', async () => {
      const { store } = await placeWithUpload();
      await using storage = await openStorage(store);
      const { unfinished } = storage;
      if (unfinished?.kind !== 'listed') throw new Error('S3 lists them.');
      for await (const write of unfinished.find({ olderThanMs: -60_000 })) {
        await unfinished.remove(write);
        await unfinished.remove(write);
      }
      for await (const write of unfinished.find({ olderThanMs: -60_000 })) expect.fail(write.name);
    });
  });
}

describe('stowage uploads, in a folder', () => {
  const folder = scratchFolder();

  it('shows and removes files of writes that never ended', async () => {
    const store = join(folder, 'store');
    await makeStore(store);
    mkdirSync(join(store, '.stowage-tmp'), { recursive: true });
    const file = join(store, '.stowage-tmp', LEFT);
    writeFileSync(file, new Uint8Array(2_000_000));
    const weekAgo = Date.now() / 1000 - 8 * 24 * 3600;
    utimesSync(file, weekAgo, weekAgo);
    const shown = await stowage(store, ['uploads']);
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\.stowage-tmp\/[0-9a-f]{24}-1 +8 d ago +2\.0 MB\n$/),
    });
    expect(existsSync(file)).toBe(true);
    const removed = await stowage(store, ['uploads', '--yes']);
    expect(removed.stdout).toMatch(/\.stowage-tmp\/[0-9a-f]{24}-1 +8 d ago +2\.0 MB +removed\n$/);
    expect(removed.stderr).toBe('stowage: 1 unfinished upload, 2.0 MB: all removed.\n');
    expect(existsSync(file)).toBe(false);
  });

  it('tells of a place elsewhere that lists none, and of the store itself all the same', async () => {
    class Locked extends StorageDecorator {
      override get unfinished(): UnfinishedWrites {
        // biome-ignore lint/correctness/useYield: it fails before there is anything
        const find = async function* (): AsyncGenerator<UnfinishedWrite> {
          throw new StowageError('STORAGE_CREDENTIALS', 'locked: takes no such keys.');
        };
        return { kind: 'listed', find, remove: async () => {} };
      }
    }
    // One of a scheme of its own would not be opened by a command, which has no `openPlace`.
    registerStorage('memory', async () => new Locked(new MemoryStorage('locked')));
    const store = join(folder, 'partly');
    await using flow = await FlowDataStore.open({
      flowName: 'Train',
      storage: store,
      rawDataPath: 'memory:locked',
    });
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) =>
      task.saveArtifacts({ x: noise(20_000) }),
    );
    mkdirSync(join(store, '.stowage-tmp'), { recursive: true });
    writeFileSync(join(store, '.stowage-tmp', LEFT), new Uint8Array(2_000_000));
    const { code, stdout, stderr } = await stowage(store, ['uploads', '--older-than', '0s', '--yes']);
    expect(stdout).toMatch(/\.stowage-tmp\/[0-9a-f]{24}-1 .* removed\n$/);
    expect([code, stderr]).toEqual([3, expect.stringContaining('locked: takes no such keys.')]);
  });

  it('wants an age, and a store', async () => {
    const store = join(folder, 'other');
    const wrong = await stowage(store, ['uploads', '--older-than', 'yesterday']);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--older-than is an age such as'),
    });
    expect((await stowage(store, ['uploads'])).code).toBe(10);
  });
});

describe('stowage uploads, where they cannot be listed', () => {
  const azurite = useAzurite();
  const note = (type: string): string =>
    `stowage: nothing to do. A store of kind ${type} does not list them, and removes them by itself after 7 d.\n`;

  it('says of Azure that they go by themselves', async () => {
    const { connectionString, container } = await azurite.newPlace();
    vi.stubEnv('AZURE_STORAGE_CONNECTION_STRING', connectionString);
    const store = `az://${container}/store`;
    await makeStore(store);
    expect(await stowage(store, ['uploads', '--yes'])).toMatchObject({ code: 0, stderr: note('azure') });
    const weekMs = 7 * 24 * 60 * 60 * 1000;
    expect(await json(store, ['uploads'])).toEqual({ listed: false, expireAfterMs: weekMs, uploads: [] });
  });

  describeOnFakeGcs('of Google', (server) => {
    it('says of Google that they go by themselves', async () => {
      const { bucket } = await server.newPlace();
      vi.stubEnv('STORAGE_EMULATOR_HOST', server.url());
      const store = `gs://${bucket}/store`;
      await makeStore(store);
      expect(await stowage(store, ['uploads'])).toMatchObject({ code: 0, stderr: note('gcs') });
    });
  });
});
