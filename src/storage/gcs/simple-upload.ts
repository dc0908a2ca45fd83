import { randomUUID } from 'node:crypto';
import { Crc32c } from './crc32c.ts';
import { metadataOfNew, type NewObject, queryOfNew } from './new-object.ts';
import type { CheckedGcsOptions } from './options.ts';
import type { GcsCall, GcsRequests } from './requests.ts';
import type { ObjectResource } from './resource.ts';

/** What was sent, and what the service made of it. */
export interface Sent {
  bytes: number;
  crc32c: string;
  resource: ObjectResource;
}

/**
 * Writes an object by one request, of two parts (RFC 2387): its metadata, and its bytes with the checksum that the service
 * compares before anybody sees them. Gives `undefined` where the object's generation is not the one asked for.
 */
export async function putObject(
  requests: GcsRequests,
  object: NewObject,
  bytes: Uint8Array,
  call: GcsCall,
  options: CheckedGcsOptions,
): Promise<Sent | undefined> {
  const boundary = randomUUID();
  const crc32c = new Crc32c().update(bytes).toString();
  const head =
    `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n` +
    `${metadataOfNew({ ...object, crc32c }, options).toString()}\r\n` +
    `--${boundary}\r\nContent-Type: ${object.contentType}\r\n\r\n`;
  const answer = await requests.send(
    {
      ...call,
      method: 'POST',
      url: requests.uploadUrl,
      query: { uploadType: 'multipart', ...queryOfNew(object, options) },
      headers: { 'Content-Type': `multipart/related; boundary=${boundary}` },
      body: [Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)],
    },
    [412],
  );
  if (answer.status !== 412) {
    return { bytes: bytes.length, crc32c, resource: await requests.jsonOf(answer, call) };
  }
  answer.body.resume();
  return undefined;
}
