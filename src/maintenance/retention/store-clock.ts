import { StowageError } from '../../errors.ts';
import { beatName, encodeBeat } from '../../format/open-session.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** No writer has this id; its beat is overwritten by whoever wants to know the store's time. */
const CLOCK_SESSION = '0'.repeat(26);
const MAX_TRIES = 10;

/** The store's time, in milliseconds since 1970: when it wrote what was just written to it. Three requests. */
export async function storeTimeMs(storage: DataStoreStorage, { signal }: CallOptions): Promise<number> {
  const name = beatName(CLOCK_SESSION);
  // Another retention may delete it in between.
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    await storage.overwrite(name, encodeBeat(CLOCK_SESSION, new Date().toISOString()), { signal });
    const written = await storage.head(name, { signal });
    if (!written) continue;
    await storage.delete([name], { signal }); // what stays is overwritten by the next
    return written.modifiedAtMs;
  }
  throw new StowageError(
    'STORAGE_FAILED',
    `${storage.uri(name)} is gone each time it was written; check that no other program deletes the store's objects.`,
    { details: { name } },
  );
}
