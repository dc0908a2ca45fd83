import type { S3Client } from '@aws-sdk/client-s3';
import type { S3Access } from './s3-servers.ts';

/** A client of the tests' own, for what a storage does not do: making buckets, looking at uploads, writing behind its back. */
export async function newClient(
  access: S3Access,
): Promise<{ s3: typeof import('@aws-sdk/client-s3'); client: S3Client }> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const s3 = await import('@aws-sdk/client-s3');
  return { s3, client: new s3.S3Client(access) };
}

export async function createBucket(access: S3Access, bucket: string): Promise<void> {
  const { s3, client } = await newClient(access);
  await client.send(new s3.CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
}

/** The keys of the uploads in parts that were begun in a bucket and neither completed nor aborted. */
export async function unfinishedKeys(
  place: S3Access & { bucket: string; prefix: string },
): Promise<string[]> {
  const { s3, client } = await newClient(place);
  const query = { Bucket: place.bucket, Prefix: place.prefix };
  const { Uploads } = await client.send(new s3.ListMultipartUploadsCommand(query));
  client.destroy();
  return (Uploads ?? []).map(({ Key }) => Key as string);
}
