import { join } from 'node:path';
import * as library from '../../dist/index.js';
import { dicts, named } from '../values.mjs';
import { startCountingProxy } from './counting-proxy.mjs';
import { countKinds, KIND_OF } from './request-kinds.mjs';
import { AZURITE_ACCOUNT, AZURITE_KEY, KEYS, SERVERS, startServer } from './servers.mjs';
import { countWorks, LARGER_WORKS, MUST, WORKS } from './works.mjs';

const BUCKET = 'bench';

/** In the order in which each finds what it needs. Metaflow knows nothing of what its process saved: it asks always. */
const METAFLOW_WORKS = [
  ...['write, first', 'write', 'write the others', 'read, first', 'read', 'list'],
  ...[
    '20 new',
    '20 known',
    '20 elsewhere',
    'large new',
    'large known',
    'large elsewhere',
    'huge up',
    'huge down',
  ],
];

/** How the bucket is made, and a storage in it opened, through a proxy. */
const PLACES = {
  s3: async (url) => {
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
    const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3');
    const access = { endpoint: url, region: 'us-east-1', credentials: KEYS };
    const client = new S3Client({ ...access, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    client.destroy();
    return () => library.openStorage(`s3://${BUCKET}/store`, { s3: access });
  },
  azure: async (url) => {
    const { BlobServiceClient } = await import('@azure/storage-blob');
    const connectionString =
      `DefaultEndpointsProtocol=http;AccountName=${AZURITE_ACCOUNT};AccountKey=${AZURITE_KEY};` +
      `BlobEndpoint=${url}/${AZURITE_ACCOUNT};`;
    await BlobServiceClient.fromConnectionString(connectionString).getContainerClient(BUCKET).create();
    return () => library.openStorage(`az://${BUCKET}/store`, { azure: { connectionString } });
  },
  gcs: async (url) => {
    const made = await fetch(`${url}/storage/v1/b?project=bench`, {
      method: 'POST',
      body: JSON.stringify({ name: BUCKET }),
    });
    if (!made.ok) throw new Error(await made.text());
    return () => library.openStorage(`gs://${BUCKET}/store`, { gcs: { apiEndpoint: url } });
  },
};

/**
 * Counts requests to real servers, service by service: at the storage contract, and on the wire by a proxy between client and
 * server; those of Metaflow on S3 as well. Exact, and the same on every machine; nothing is timed.
 *
 * @returns by work: what each service was asked, and what Metaflow asked of S3; without servers that are not installed
 */
export async function countOnTheWire({ folder, metaflow, log }) {
  const counted = {};
  for (const [service, server] of Object.entries(SERVERS)) {
    if (server.isHere()) counted[service] = await countService(service, join(folder, service));
    else log(`no ${server.name} here (npm run servers): nothing is counted on it`);
  }
  if (metaflow && SERVERS.s3.isHere()) {
    const work = (proxy) => countMetaflow(metaflow, proxy, join(folder, 'metaflow'));
    counted.metaflow = await withProxy('s3', join(folder, 'metaflow-s3'), work);
  }
  return Object.entries({ ...WORKS, ...LARGER_WORKS }).map(([id, work]) => ({
    work,
    must: MUST[id],
    calls: counted.s3?.[id]?.calls ?? counted.azure?.[id]?.calls,
    s3: counted.s3?.[id]?.wire,
    metaflow: counted.metaflow?.[id],
    azure: counted.azure?.[id]?.wire,
    gcs: counted.gcs?.[id]?.wire,
  }));
}

function countService(service, folder) {
  return withProxy(service, folder, (proxy, take) =>
    PLACES[service](proxy.url).then((open) =>
      countWorks({ library, open, take, withLarger: service === 's3' }),
    ),
  );
}

async function countMetaflow(metaflow, proxy, home) {
  await PLACES.s3(proxy.url);
  const side = await metaflow.startOnS3({
    root: `s3://${BUCKET}/metaflow`,
    endpoint: proxy.url,
    keys: KEYS,
    home,
    firstLine: named(dicts(20)),
  });
  const counted = {};
  for (const id of METAFLOW_WORKS) {
    proxy.take();
    await side.ask({ work: id });
    counted[id] = countKinds(proxy.take(), KIND_OF.s3);
  }
  side.stop();
  return counted;
}

async function withProxy(service, folder, work) {
  const server = await startServer(SERVERS[service], folder);
  const proxy = await startCountingProxy(server.url);
  try {
    return await work(proxy, () => countKinds(proxy.take(), KIND_OF[service]));
  } finally {
    proxy.stop();
    await server.stop();
  }
}
