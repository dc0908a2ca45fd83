import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { openStorage } from '../../src/storage/open.ts';
import { errorOf, objectNames } from '../flow/fixtures.ts';
import { unfinishedKeys } from '../servers/s3-buckets.ts';
import { s3Servers, useS3Server } from '../servers/s3-servers.ts';
import { contentOf, MIB, streamOf } from './contents.ts';

const PIECES = { lengths: [MIB], reused: true };
const film = contentOf(24 * MIB);

for (const server of s3Servers()) {
  describe(`streams in a bucket of ${server.name}`, () => {
    const inUse = useS3Server(server);

    /** Flows that share nothing but the bucket, as those of several processes do. */
    async function opener(maxInFlight?: number) {
      const place = await inUse.newPlace();
      const { bucket, prefix, endpoint, region, credentials } = place;
      const address = `s3://${bucket}/${prefix}store?endpoint=${endpoint}&region=${region}`;
      const options = { s3: { credentials, singleWriter: !server.isReal }, maxInFlight };
      const open = async () => {
        const storage = await openStorage(address, options);
        return FlowDataStore.open({ flowName: 'F', storage });
      };
      return { open, place };
    }

    it('lie there once, and leave nothing where they fail or are aborted, not even uploads', async () => {
      const { open, place } = await opener();
      for (const time of [1, 2]) {
        await using flow = await open();
        const [data] = await flow.saveData([{ name: `film${time}`, data: streamOf(film, PIECES) }]);
        const [blob] = await flow.caStore.saveBlobs([streamOf(film, PIECES)]);
        expect(data?.key).toBe(blob?.key);
        await flow.storage.close();
      }
      await using flow = await open();
      const before = await objectNames(flow.storage);
      const kept = before.filter((name) => /^(packs|plain)\//.test(name));
      // The second of each is found under the key of the first: a plain object is a copy like any other.
      expect(kept.filter((name) => name.startsWith('plain/'))).toHaveLength(1);
      expect(kept.filter((name) => name.startsWith('packs/'))).toHaveLength(0);

      const other = contentOf(24 * MIB, 2);
      const failing = async function* () {
        yield* streamOf(other, PIECES);
        throw new Error('connection reset');
      };
      const controller = new AbortController();
      const aborted = async function* () {
        yield* streamOf(other, PIECES);
        controller.abort();
        yield other.subarray(0, 10);
      };
      const { signal } = controller;
      await expect(flow.saveData([{ name: 'x', data: failing() }])).rejects.toThrow('connection reset');
      await expect(flow.caStore.saveBlobs([failing()])).rejects.toThrow('connection reset');
      await errorOf(flow.saveData([{ name: 'x', data: aborted() }], { signal }), 'ABORTED');
      await errorOf(flow.caStore.saveBlobs([aborted()], { signal }), 'ABORTED');
      const after = await objectNames(flow.storage);
      expect(after.filter((name) => /^(packs|plain)\//.test(name))).toEqual(kept);
      expect(await unfinishedKeys(place)).toEqual([]);
      await flow.storage.close();
    });

    it('that read the bucket which they are written to do not wait for each other', async () => {
      const { open } = await opener(4);
      await using flow = await open();
      const [saved] = await flow.caStore.saveBlobs([contentOf(600_000)]);
      const copies = Array.from({ length: 16 }, (_, i) => {
        const data = flow.caStore.streamBlob(saved?.key as string);
        return flow.saveData([{ name: `film${i}`, data }]);
      });
      const all = await Promise.all(copies);
      expect(new Set(all.map(([copy]) => copy?.key))).toEqual(new Set([saved?.key]));
      expect(await objectNames(flow.storage, 'plain/')).toHaveLength(1);
      await flow.storage.close();
    });
  });
}
