import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defaultStorageUri } from '../src/default-storage.ts';
import { FlowDataStore } from '../src/flow-data-store.ts';
import { scratchFolder, stowage } from './cli/fixture.ts';
import { useAzurite } from './servers/azure-containers.ts';
import { describeOnFakeGcs } from './servers/gcs-buckets.ts';
import { describeOnPostgres } from './servers/postgres.ts';
import { s3Servers, useS3Server } from './servers/s3-servers.ts';

const KIND = 'STOWAGE_DEFAULT_DATASTORE';
const ROOT = 'STOWAGE_DATASTORE_SYSROOT_';

afterEach(() => vi.unstubAllEnvs());

/** A program and a command that name no store meet where the environment says. */
async function expectToMeet(
  kind: string,
  root: string,
  options: { rawDataPath?: string } = {},
): Promise<void> {
  vi.stubEnv(KIND, kind);
  vi.stubEnv(ROOT + kind.toUpperCase(), root);
  await using flow = await FlowDataStore.open({ flowName: 'Train', ...options });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ x: 42 }));
  const read = await stowage(undefined, ['get', 'Train/r1/fit/0', 'x']);
  expect(read).toMatchObject({ code: 0, stdout: '42\n', stderr: '' });
  const named = await stowage(root, ['get', 'Train/r1/fit/0', 'x']);
  expect(named.stdout).toBe('42\n');
}

describe('the default store', () => {
  const folder = scratchFolder();

  describe('of kind local', () => {
    it('is where the library writes and the command looks', () =>
      expectToMeet('local', join(folder, 'store')));
  });

  describe('of kind sqlite', () => {
    it('is where the library writes and the command looks', () =>
      expectToMeet('sqlite', `sqlite:${join(folder, 'runs.db')}`));
  });

  describeOnPostgres('of kind postgres', (server) => {
    it('is where the library writes and the command looks', () =>
      expectToMeet('postgres', `${server.address()}/meet`, { rawDataPath: join(folder, 'content') }));
  });

  for (const server of s3Servers()) {
    describe.runIf(server.isReal)(`of kind s3, on ${server.name}`, () => {
      const inUse = useS3Server(server);
      it('is where the library writes and the command looks', async () => {
        const { bucket, prefix, endpoint, region, credentials } = await inUse.newPlace();
        vi.stubEnv('AWS_ENDPOINT_URL', endpoint);
        vi.stubEnv('AWS_REGION', region);
        vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId);
        vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey);
        await expectToMeet('s3', `s3://${bucket}/${prefix}store`);
      });
    });
  }

  describe('of kind azure', () => {
    const azurite = useAzurite();
    it('is where the library writes and the command looks', async () => {
      const { connectionString, container } = await azurite.newPlace();
      vi.stubEnv('AZURE_STORAGE_CONNECTION_STRING', connectionString);
      await expectToMeet('azure', `az://${container}/store`);
    });
  });

  describeOnFakeGcs('of kind gs', (server) => {
    it('is where the library writes and the command looks', async () => {
      const { bucket } = await server.newPlace();
      vi.stubEnv('STORAGE_EMULATOR_HOST', server.url());
      await expectToMeet('gs', `gs://${bucket}/store`);
    });
  });

  it.each([
    [
      { [KIND]: 's3' },
      `${KIND} is s3, but ${ROOT}S3 does not say where; set it to the store's address, such as s3://`,
    ],
    [{ [KIND]: 'azure', [`${ROOT}AZURE`]: '' }, `${ROOT}AZURE does not say where`],
    [{ [KIND]: 'gs', [`${ROOT}S3`]: 's3://bucket' }, `${ROOT}GS does not say where`],
    [
      { [KIND]: 'nope' },
      `${KIND} is nope, but this release has local, s3, azure, gs, sqlite, postgres; for a kind that registerStorage adds`,
    ],
    [
      { [KIND]: 'constructor' },
      `${KIND} is constructor, but this release has local, s3, azure, gs, sqlite, postgres`,
    ],
    [
      { [KIND]: 's3', [`${ROOT}S3`]: '/data/store' },
      `${ROOT}S3 is "/data/store", which is the address of a store of kind local`,
    ],
    [{ [KIND]: 'gs', [`${ROOT}GS`]: 's3://bucket' }, 'of kind s3, not gs; write gs://bucket/prefix.'],
    [
      { [KIND]: 'sqlite' },
      `${ROOT}SQLITE does not say where; set it to the store's address, such as sqlite:path`,
    ],
    [
      { [KIND]: 'sqlite', [`${ROOT}SQLITE`]: 'runs.db' },
      'of kind local, not sqlite; write sqlite:path/to/runs.db.',
    ],
    [
      { [KIND]: 'sqlite', [`${ROOT}SQLITE`]: 'postgres://me:secret@host/db' },
      `${ROOT}SQLITE is "postgres://host/db", which is the address of a store of kind postgres`,
    ],
    [
      { [KIND]: 'postgresql', [`${ROOT}POSTGRES`]: 'sqlite:runs.db' },
      'of kind sqlite, not postgres; write postgres://',
    ],
    [{ [`${ROOT}LOCAL`]: 's3://bucket' }, `of kind s3, not local; set ${KIND}=s3 and ${ROOT}S3.`],
  ])('is refused with what to set: %o', async (environment, message) => {
    expect(() => defaultStorageUri(environment)).toThrow(message);
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const ended = await stowage(undefined, ['runs']);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    await expect(FlowDataStore.open({ flowName: 'Train' })).rejects.toThrow(message);
  });

  it.each([
    [{}, './.stowage'],
    [{ [KIND]: '', [`${ROOT}LOCAL`]: '' }, './.stowage'],
    [{ [`${ROOT}LOCAL`]: 'C:\\stores' }, 'C:\\stores'],
    [{ [`${ROOT}LOCAL`]: 'file:///data' }, 'file:///data'],
    [{ [KIND]: 'GCS', [`${ROOT}GS`]: 'gcs://bucket/x' }, 'gcs://bucket/x'],
    [{ [KIND]: 'az', [`${ROOT}AZURE`]: 'abfss://c/x' }, 'abfss://c/x'],
    [{ [KIND]: 'sqlite', [`${ROOT}SQLITE`]: 'sqlite:runs.db' }, 'sqlite:runs.db'],
    [{ [KIND]: 'postgresql', [`${ROOT}POSTGRES`]: 'postgresql://h/d' }, 'postgresql://h/d'],
    [{ [KIND]: 'mine', [`${ROOT}MINE`]: 'mine://x' }, 'mine://x'],
  ])('of %o is %s', (environment, uri) => {
    expect(defaultStorageUri(environment)).toBe(uri);
  });
});
