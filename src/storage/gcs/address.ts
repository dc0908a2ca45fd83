import { StowageError } from '../../errors.ts';
import type { GcsStorageOptions } from './options.ts';

const ADDRESS = /^gc?s:\/\/([^/?#]*)(?:\/([^?]*))?(?:\?(.*))?$/is;

/**
 * Reads `gs://bucket/prefix?apiEndpoint=...&projectId=...&userProject=...`; `gcs:` means the same. The prefix is taken
 * as it is written, as other tools of Cloud Storage do: nothing in it is percent-decoded. One with a `?` is given by
 * options.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function parseGcsAddress(uri: string): GcsStorageOptions {
  const match = ADDRESS.exec(uri);
  if (!match?.[1]) throw invalid(uri, 'it names no bucket; write gs://bucket or gs://bucket/prefix');
  const [, bucket, prefix = '', query = ''] = match;
  if (/[@:]/.test(bucket)) {
    const why =
      'a bucket has no "@" or ":"; credentials come from the environment or from options, an endpoint after ?apiEndpoint=';
    // The message must not repeat what may be a secret.
    throw invalid(uri.replace(/\/\/.*@/s, '//...@'), why);
  }
  const options: GcsStorageOptions = { bucket, prefix };
  for (const [key, value] of new URLSearchParams(query)) {
    if (options[key as keyof GcsStorageOptions] !== undefined) throw invalid(uri, `it says ${key}= twice`);
    if (key === 'apiEndpoint' || key === 'projectId' || key === 'userProject') options[key] = value;
    else throw invalid(uri, `it may say apiEndpoint=, projectId= and userProject=, not ${key}=${value}`);
  }
  return options;
}

/** The address of an object as other tools of Cloud Storage take it: nothing is percent-encoded. */
export function gcsUri(bucket: string, key: string): string {
  return `gs://${bucket}/${key}`;
}

function invalid(uri: string, why: string): StowageError {
  return new StowageError('INVALID_ARGUMENT', `"${uri}" is no address of a Cloud Storage bucket: ${why}.`, {
    details: { uri },
  });
}
