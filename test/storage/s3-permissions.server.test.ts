import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { openStorage } from '../../src/storage/open.ts';
import { errorOf } from '../flow/fixtures.ts';
import { findBinary } from '../servers/binaries.ts';
import { startServer } from '../servers/running-server.ts';
import { createBucket, newClient } from '../servers/s3-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const command = findBinary('versitygw');

describe.runIf(command)('users of versitygw', () => {
  /** A server with users beside the one who owns it, and how each of them opens a flow in one bucket. */
  async function startWithGuest() {
    const owner = { accessKeyId: 'owner', secretAccessKey: 'owner-secret' };
    const guest = { accessKeyId: 'guest', secretAccessKey: 'guest-secret' };
    const server = await startServer({
      name: 'versitygw',
      command: command as string,
      args: (port, folder) => {
        for (const name of ['users', 'data']) mkdirSync(join(folder, name));
        const here = ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive'];
        return [...here, '--iam-dir', join(folder, 'users'), 'posix', join(folder, 'data')];
      },
      env: { ROOT_ACCESS_KEY: owner.accessKeyId, ROOT_SECRET_KEY: owner.secretAccessKey },
    });
    const access = { endpoint: server.url, region: 'us-east-1', forcePathStyle: true, credentials: owner };
    await createBucket(access, 'data');
    const keys = (user: typeof owner) => ['--access', user.accessKeyId, '--secret', user.secretAccessKey];
    const admin = ['admin', ...keys(owner), '--endpoint-url', server.url];
    await promisify(execFile)(command as string, [...admin, 'create-user', ...keys(guest), '--role', 'user']);
    const open = async (credentials: typeof owner) => {
      const storage = await openStorage(`s3://data?endpoint=${server.url}&region=us-east-1`, {
        s3: { credentials },
      });
      return FlowDataStore.open({ flowName: 'Train', storage });
    };
    const allow = async (...actions: string[]) => {
      const { s3, client } = await newClient(access);
      const Resource = ['arn:aws:s3:::data', 'arn:aws:s3:::data/*'];
      const Statement = [{ Effect: 'Allow', Principal: { AWS: ['guest'] }, Action: actions, Resource }];
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
      await client.send(new s3.PutBucketPolicyCommand({ Bucket: 'data', Policy }));
      client.destroy();
    };
    return { server, owner: await open(owner), guest: await open(guest), allow };
  }

  it('who may do nothing, or only read, are told what they lack, and write nothing', async () => {
    const { server, owner, guest, allow } = await startWithGuest();
    await owner.task(spec, (task) => task.saveArtifacts({ auc: 0.91 }));
    for (const call of [() => guest.getTaskDataStore('r1/fit/0'), () => guest.task(spec, async () => {})]) {
      const error = await errorOf(call, 'STORAGE_NOT_PERMITTED');
      expect(error.message).toMatch(/may not do that.*readers need s3:GetObject and s3:ListBucket/);
    }
    await allow('s3:GetObject', 's3:ListBucket');
    const task = await guest.getTaskDataStore('r1/fit/0');
    expect(await task.loadArtifacts()).toEqual({ auc: 0.91 });
    await errorOf(guest.getTaskDataStore('r1/fit/7'), 'TASK_NOT_FOUND');
    const error = await errorOf(
      guest.task({ ...spec, taskId: '1' }, async () => {}),
      'STORAGE_NOT_PERMITTED',
    );
    expect(error.message).toMatch(/writers also s3:PutObject/);
    expect(await owner.getTaskDataStores({ runId: 'r1' })).toHaveLength(1);
    for (const flow of [owner, guest]) {
      await flow.close();
      await flow.storage.close();
    }
    await server.stop();
  });
});

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`credentials of a session on ${server.name}`, () => {
    const inUse = useS3Server(server);

    it('that the server does not know are STORAGE_CREDENTIALS, and the token is not repeated', async () => {
      const { bucket, prefix, ...s3 } = await inUse.newPlace();
      const credentials = { ...s3.credentials, sessionToken: 'made-up-token' };
      const storage = await openStorage(`s3://${bucket}/${prefix}`, { s3: { ...s3, credentials } });
      for (const call of [() => storage.get('a'), () => storage.create('a', new Uint8Array(1))]) {
        const error = await errorOf(call, 'STORAGE_CREDENTIALS');
        expect(error.message).toMatch(/AWS_SESSION_TOKEN/);
        expect(error.message).not.toContain('made-up-token');
      }
      await storage.close();
    });
  });
}
