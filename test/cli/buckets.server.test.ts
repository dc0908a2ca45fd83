import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { type OpenStorageOptions, openStorage } from '../../src/storage/open.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { describeOnFakeGcs } from '../servers/gcs-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const command = join(import.meta.dirname, '../../dist/cli/main.js');

/** On a busy machine a server may take its time, which the command tells. */
const WAITING = /^stowage: .* has not answered for .*\n/gm;

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** The command as users start it: a process of its own, with what the environment says of a bucket. */
function run(args: string[], env: Record<string, string>): Promise<Ended> {
  const { PATH, HOME } = process.env;
  return new Promise((resolve) => {
    const all = { ...(PATH && { PATH }), ...(HOME && { HOME }), ...env };
    const child = execFile(process.execPath, [command, ...args], { env: all }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr: stderr.replace(WAITING, '') }),
    );
  });
}

/** What is printed of a store in a bucket: what was asked for, and on standard error not a word, of SDKs neither. */
async function expectCleanOutput(
  address: string,
  options: OpenStorageOptions,
  env: Record<string, string>,
): Promise<void> {
  const missing = await run(['runs', '--store', address], env);
  expect(missing).toMatchObject({ code: 10, stdout: '' });
  expect(missing.stderr).toMatch(/^stowage: .*no store/i);
  expect(missing.stderr).not.toMatch(/Warning|\n\s+at /);

  const storage = await openStorage(address, options);
  const flow = await FlowDataStore.open({ flowName: 'Train', storage });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ auc: 0.91 }));
  await flow.close();
  await storage.close();
  for (const [args, printed] of [
    [['ls', 'Train/r1', '--store', address], /fit/],
    [['runs', 'Train', '--debug', '--store', address], /r1/],
  ] as const) {
    const ended = await run([...args], env);
    expect({ args, ...ended }).toEqual({ args, code: 0, stdout: expect.stringMatching(printed), stderr: '' });
  }
  const kind = { s3: 'S3', az: 'AZURE', gs: 'GS' }[address.slice(0, 2)] ?? '';
  const where = {
    STOWAGE_DEFAULT_DATASTORE: kind.toLowerCase(),
    [`STOWAGE_DATASTORE_SYSROOT_${kind}`]: address,
  };
  expect(await run(['ls', 'Train/r1'], { ...env, ...where })).toMatchObject({ code: 0, stderr: '' });

  const refused = await run(['runs', '--store', `${address.replace(/test-/, 'test-no-such-')}`], env);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/there is no such (bucket|container).*create it/s);
  expect(refused.stderr).not.toMatch(/Warning|\n\s+at /);
}

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`the command on ${server.name}`, () => {
    const inUse = useS3Server(server);
    it('prints what was asked for, and nothing beside it', async () => {
      const { bucket, prefix, endpoint, region, credentials } = await inUse.newPlace();
      const address = `s3://${bucket}/${prefix}store?endpoint=${endpoint}&region=${region}`;
      await expectCleanOutput(
        address,
        { s3: { credentials } },
        {
          AWS_ACCESS_KEY_ID: credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
          AWS_EC2_METADATA_DISABLED: 'true',
        },
      );
    });
  });
}

describe('the command on Azure', () => {
  const azurite = useAzurite();
  it('prints what was asked for, and nothing beside it', async () => {
    const { container, connectionString } = await azurite.newPlace();
    await expectCleanOutput(
      `az://${container}/store`,
      { azure: { connectionString } },
      { AZURE_STORAGE_CONNECTION_STRING: connectionString },
    );
  });
});

describeOnFakeGcs('the command on Google Cloud Storage', (server) => {
  it('prints what was asked for, and nothing beside it', async () => {
    const { bucket, apiEndpoint } = await server.newPlace();
    await expectCleanOutput(
      `gs://${bucket}/store`,
      { gcs: { apiEndpoint } },
      { STORAGE_EMULATOR_HOST: apiEndpoint },
    );
  });
});
