import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { expect, it } from 'vitest';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import type { CollectionResult } from '../../src/maintenance/collection/collection-result.ts';
import { openStorage } from '../../src/storage/open.ts';
import { errorOf, expectSame, noise, objectNames } from '../flow/fixtures.ts';
import { isContent, markClosed } from '../maintenance/collection/histories.ts';
import { useAzurite } from '../servers/azure-containers.ts';
import { AZURITE_ACCOUNT, AZURITE_KEY } from '../servers/azurite.ts';

const SPEC = { runId: 'r1', stepName: 'fit', taskId: '0' };
const HOUR_MS = 3_600_000;
/** The permissions that docs/guide/permissions.md gives a SAS for each role. */
const ROLES = { reader: 'rl', writer: 'rlcw', collector: 'rlcwd' };

const azurite = useAzurite();

async function collect({ storage }: FlowDataStore): Promise<CollectionResult> {
  const content = new ContentAddressedStore(storage);
  try {
    return await collectGarbage(content);
  } finally {
    await content.close();
  }
}

it('a SAS lets its holder do what its role does, and tells what it does not', async () => {
  const { container } = await azurite.newPlace();
  const open = async (role: keyof typeof ROLES): Promise<FlowDataStore> => {
    const sasToken = generateBlobSASQueryParameters(
      {
        containerName: container,
        permissions: ContainerSASPermissions.parse(ROLES[role]),
        expiresOn: new Date(Date.now() + HOUR_MS),
      },
      new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY),
    ).toString();
    const azure = { endpoint: azurite.endpoint(), sasToken, partBytes: 1024 * 1024 };
    return FlowDataStore.open({
      flowName: 'Test',
      storage: await openStorage(`az://${container}/team`, { azure }),
    });
  };
  const [reader, writer, collector] = [await open('reader'), await open('writer'), await open('collector')];
  const artifacts = { auc: 0.91, medium: noise(100_000, 1), large: noise(3_000_000, 2) };
  await writer.task(SPEC, (task) => task.saveArtifacts(artifacts));
  expectSame(await (await reader.getTaskDataStore('r1/fit/0')).loadArtifacts(), artifacts);
  const names = await objectNames(writer.storage);

  const refused = await errorOf(
    reader.task({ ...SPEC, taskId: '1' }, async () => {}),
    'STORAGE_NOT_PERMITTED',
  );
  expect(refused.message).toMatch(/Storage Blob Data Reader.*writers.*r, l, c and w, whoever deletes also d/);
  for (const { error } of await writer.storage.delete(names))
    expect(error).toMatchObject({ code: 'STORAGE_NOT_PERMITTED' });
  expect(await objectNames(reader.storage)).toEqual(names);

  await markClosed(collector.storage, '0', 'DELETED');
  const byWriter = await collect(writer);
  expect(byWriter.unconfirmed.map(({ entry }) => entry.kind).sort()).toEqual(['copy', 'copy', 'pack']);
  expect(await collect(collector)).toMatchObject({ deleted: { copies: 2, packs: 1 }, unconfirmed: [] });
  expect((await objectNames(reader.storage)).filter(isContent)).toEqual([]);
  for (const flow of [reader, writer, collector]) {
    await flow.close();
    await flow.storage.close();
  }
});
