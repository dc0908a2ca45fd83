import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe } from 'vitest';
import { hasFakeGcs, startFakeGcs } from './fake-gcs.ts';
import { type GcsSessions, startGcsSessions } from './gcs-sessions.ts';

/** A bucket that nobody else uses, as a `GcsStorage` takes it. */
export interface GcsPlace {
  apiEndpoint: string;
  bucket: string;
}

/** A fake-gcs-server that runs during the tests of a file. */
export interface FakeGcsInUse {
  /** Its origin, without what stands before it. */
  url(): string;
  /** What stands before it, and gives resumable uploads what it lacks. */
  sessions(): GcsSessions;
  newPlace(): Promise<GcsPlace>;
}

/**
 * Registers tests that need fake-gcs-server, which runs from before the first to after the last. Where it is not installed
 * they are skipped, and what is not tested is said aloud.
 */
export function describeOnFakeGcs(title: string, body: (server: FakeGcsInUse) => void): void {
  if (!hasFakeGcs()) {
    const why = 'There is no fake-gcs-server; run `npm run servers` (it needs Go).';
    console.warn(`\nNOT TESTED: ${title}, on Google Cloud Storage. ${why}\n`);
  }
  describe.skipIf(!hasFakeGcs())(title, () => {
    let running: { url: string; sessions: GcsSessions; stop(): Promise<void> } | undefined;
    beforeAll(async () => {
      const server = await startFakeGcs();
      const sessions = await startGcsSessions(server.url);
      const stop = () => sessions.stop().then(() => server.stop());
      running = { url: server.url, sessions, stop };
    });
    afterAll(() => running?.stop());
    const server = () => {
      if (!running) throw new Error('fake-gcs-server runs only while tests do.');
      return running;
    };
    body({
      url: () => server().url,
      sessions: () => server().sessions,
      newPlace: async () => {
        const bucket = `test-${randomBytes(8).toString('hex')}`;
        const request = { method: 'POST', body: JSON.stringify({ name: bucket }) };
        const answer = await fetch(`${server().url}/storage/v1/b?project=test`, request);
        if (!answer.ok) throw new Error(`No bucket could be made: ${await answer.text()}`);
        return { apiEndpoint: server().sessions.url, bucket };
      },
    });
  });
}

/** Writes an object behind a storage's back, with whatever metadata. */
export async function putBehindItsBack(
  url: string,
  bucket: string,
  metadata: { name: string; contentEncoding?: string },
  bytes: Uint8Array,
): Promise<void> {
  const boundary = 'behind-its-back';
  const head = `--${boundary}\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(metadata)}\r\n`;
  const begin = `${head}--${boundary}\r\nContent-Type: application/octet-stream\r\n\r\n`;
  const answer = await fetch(`${url}/upload/storage/v1/b/${bucket}/o?uploadType=multipart`, {
    method: 'POST',
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(begin), bytes, Buffer.from(`\r\n--${boundary}--`)]),
  });
  if (!answer.ok) throw new Error(`"${metadata.name}" could not be put: ${await answer.text()}`);
}
