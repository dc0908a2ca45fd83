import { beforeEach, describe, expect, it } from 'vitest';
import { S3Storage } from '../../src/storage/s3.ts';
import { newClient, unfinishedKeys } from '../servers/s3-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { testLargeObjects } from './large-objects.ts';

const MIB = 1024 * 1024;
const PART = 5 * MIB;

for (const server of s3Servers()) {
  describe.runIf(server.isReal)(`large objects on ${server.name}`, () => {
    const inUse = useS3Server(server);
    let place: Awaited<ReturnType<typeof inUse.newPlace>>;
    let storage: S3Storage;
    beforeEach(async () => {
      place = await inUse.newPlace();
      storage = await S3Storage.open({ ...place, partBytes: PART });
      return () => storage.close();
    });
    const open = () => S3Storage.open({ ...place, partBytes: PART });

    testLargeObjects({
      partBytes: PART,
      storage: () => storage,
      open,
      races: [{ from: 'streams', bytesOf: () => PART + 1 }],
      longBytes: 6 * PART,
      mostReadInVain: 2 * PART,
      // Eight parts under way, one that is filled and waits, one that fills; or a window.
      memory: {
        open,
        totalBytes: 300 * MIB,
        partBytes: PART,
        windowParts: 8,
        mostPartsUp: 12,
        mostParts: 12,
      },
      expectNothingLeft: async () => expect(await unfinishedKeys(place)).toEqual([]),
    });

    it('uploads that a crash left behind are found when they are old, and can be aborted', async () => {
      const { s3, client } = await newClient(place);
      const Key = `${place.prefix && `${place.prefix}/`}left/behind`;
      await client.send(new s3.CreateMultipartUploadCommand({ Bucket: place.bucket, Key }));
      client.destroy();
      expect(await all(storage.findUnfinishedUploads(3_600_000))).toEqual([]);
      const found = await all(storage.findUnfinishedUploads(-60_000));
      expect(found).toMatchObject([{ name: 'left/behind' }]);
      for (const upload of found) {
        await storage.abortUpload(upload);
        await storage.abortUpload(upload);
      }
      expect(await unfinishedKeys(place)).toEqual([]);
    });
  });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
