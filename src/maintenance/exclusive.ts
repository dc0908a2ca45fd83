import { StowageError } from '../errors.ts';
import { beatName } from '../format/open-session.ts';
import { decodeAttempt, readSessionFile, SESSION_FILES } from '../format/session-files.ts';
import { rootOf } from '../storage/canonical-address.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { listSessions } from './collection/session-listing.ts';

/** Owners write a sign of life every ten minutes: who gave none for so long is dead, asleep or cut off. */
const HEARD_WITHIN_MS = 60 * 60 * 1000;
/** So many sessions are told. */
const MAX_TOLD = 5;

/**
 * Refuses a store in which somebody seems to be at work, though nobody was to be. It is no lock: who begins a moment later is not seen.
 *
 * @throws StowageError `STORE_BUSY`, naming attempts whose owner was heard within the last hour
 */
export async function refuseOpenSessions(storage: DataStoreStorage, { signal }: CallOptions): Promise<void> {
  const open: string[] = [];
  let count = 0;
  for await (const { base, subject, files } of listSessions(storage, { signal })) {
    if (files.has('done')) continue;
    const name = base + SESSION_FILES.attempt;
    const bytes = await readSessionFile(storage, name, { signal });
    if (!bytes) continue; // a collection says what is wrong with it
    const { session } = decodeAttempt(bytes, storage.uri(name), subject);
    const sign =
      (await storage.head(beatName(session), { signal })) ?? (await storage.head(name, { signal }));
    if (!sign || Date.now() - sign.modifiedAtMs >= HEARD_WITHIN_MS) continue;
    count += 1;
    if (open.length < MAX_TOLD) open.push(base.replace(/^flows\//, ''));
  }
  if (count > 0) throw busy(rootOf(storage), open, count);
}

function busy(store: string, open: readonly string[], count: number): StowageError {
  const more = count > open.length ? ` and ${count - open.length} more` : '';
  const what =
    count === 1 ? 'This attempt is open, and its owner' : 'These attempts are open, and their owners';
  const were = count === 1 ? 'was' : 'were';
  return new StowageError(
    'STORE_BUSY',
    `${store} is to be collected while nobody writes to it, and somebody seems to. ${what} ${were} heard within the last hour: ${open.join(', ')}${more}. Nothing was deleted. Wait until they are closed; those of processes that died count for an hour.`,
    { details: { store, open, count } },
  );
}
