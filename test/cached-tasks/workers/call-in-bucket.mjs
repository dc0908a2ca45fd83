// Calls a cached task in a bucket, and prints what came of it as JSON.
// Usage: node call-in-bucket.mjs PLACE_AS_JSON BYTES SERIALIZE; BYTES is how long the output is.

import { FlowDataStore } from '../../../dist/index.js';
import { S3Storage } from '../../../dist/storage/s3.js';

const [place, bytes, serialize] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Test', storage: await S3Storage.open(JSON.parse(place)) });
let ran = false;
const task = flow.cachedTask({
  name: 'in-bucket',
  version: '1',
  serialize: serialize === 'true',
  run: (/** @type {{ bytes: number }} */ input) => {
    ran = true;
    return { pid: process.pid, body: new Uint8Array(input.bytes).fill(7) };
  },
});
const { value, hit, stored, missReason } = await task.detailed({ bytes: Number(bytes) });
process.stdout.write(
  JSON.stringify({ pid: value.pid, bytes: value.body.length, ran, hit, stored, missReason }),
);
