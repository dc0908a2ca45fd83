import { StowageError } from '../../errors.ts';
import type { S3StorageOptions } from './options.ts';

const ADDRESS = /^s3[an]?:\/\/([^/?#]*)(?:\/([^?]*))?(?:\?(.*))?$/is;

/**
 * Reads `s3://bucket/prefix?endpoint=...&region=...&forcePathStyle=true`; `s3a:` and `s3n:` mean the same. The prefix
 * is taken as it is written, as other tools of S3 do: nothing in it is percent-decoded. One with a `?` is given by options.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function parseS3Address(uri: string): S3StorageOptions {
  const match = ADDRESS.exec(uri);
  if (!match?.[1]) throw invalid(uri, 'it names no bucket; write s3://bucket or s3://bucket/prefix');
  const [, bucket, prefix = '', query = ''] = match;
  if (/[@:]/.test(bucket)) {
    const why =
      'a bucket has no "@" or ":"; credentials come from the environment or from options, an endpoint after ?endpoint=';
    // The message must not repeat what may be a secret.
    throw invalid(uri.replace(/\/\/.*@/s, '//...@'), why);
  }
  const options: S3StorageOptions = { bucket, prefix };
  for (const [key, value] of new URLSearchParams(query)) {
    if (options[key as keyof S3StorageOptions] !== undefined) throw invalid(uri, `it says ${key}= twice`);
    if (key === 'endpoint' || key === 'region') options[key] = value;
    else if (key === 'forcePathStyle' && (value === 'true' || value === 'false'))
      options[key] = value === 'true';
    else throw invalid(uri, `it may say endpoint=, region= and forcePathStyle=true, not ${key}=${value}`);
  }
  return options;
}

/** The address of an object as other tools of S3 take it: nothing is percent-encoded. */
export function s3Uri(bucket: string, key: string): string {
  return `s3://${bucket}/${key}`;
}

function invalid(uri: string, why: string): StowageError {
  return new StowageError('INVALID_ARGUMENT', `"${uri}" is no address of an S3 storage: ${why}.`, {
    details: { uri },
  });
}
