// What somebody writes who keeps a store in a bucket. Usage: node buckets.mjs <installed|missing>
import assert from 'node:assert/strict';
import { isStowageError, openStorage } from 'stowage';

const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
const connectionString =
  'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a';
const storages = {
  '@aws-sdk/client-s3': () => openStorage('s3://bucket/store?region=eu-central-1', { s3: { credentials } }),
  '@azure/storage-blob': () => openStorage('az://container/store', { azure: { connectionString } }),
};
for (const [library, open] of Object.entries(storages)) {
  if (process.argv[2] === 'installed') {
    const storage = await open();
    await storage.close?.();
  } else {
    await assert.rejects(open(), (error) => {
      return isStowageError(error, 'STORAGE_UNSUPPORTED') && error.message.includes(`npm install ${library}`);
    });
  }
}
