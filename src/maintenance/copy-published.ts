import type { BoundedWork } from '../async/bounded-work.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { holdsBytes } from '../format/create-own.ts';
import {
  decodePublished,
  type ListedPublished,
  listNames,
  listVersions,
  MAX_PUBLISHED_BYTES,
  publishedRecordName,
  withdrawnMarkName,
} from '../format/published-names.ts';
import { decodeDone, readSessionFile, SESSION_FILES, standaloneFiles } from '../format/session-files.ts';
import type { SessionId } from '../format/session-id.ts';
import { giveUpSession } from '../sessions/standalone-session.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { CopyContext } from './copy-context.ts';
import { copyKept } from './copy-loose.ts';

/**
 * Copies the published versions of a store, each behind the session that keeps it, those of a name from the lowest number on. A version that
 * the target has as another one is refused, and so are those behind it: a line of versions that two stores made would be neither's.
 */
export async function copyPublished(context: CopyContext, work: BoundedWork): Promise<void> {
  const { source, options } = context;
  for await (const name of listNames(source.storage, options)) {
    await work.begin(() => copyName(context, name));
  }
}

async function copyName(context: CopyContext, name: string): Promise<void> {
  const { source, target, report, options } = context;
  const there = new Map<number, ListedPublished>();
  for (const listed of await versionsOf(target.storage, name, options)) there.set(listed.version, listed);
  let refused: StowageError | undefined;
  for (const listed of (await versionsOf(source.storage, name, options)).reverse()) {
    const path = `names/${name}/${listed.version}`;
    await report.count(report.published, path, async () => {
      try {
        return await copyVersion(context, listed, there.get(listed.version), refused);
      } catch (error) {
        if (isStowageError(error, 'PUBLISHED_EXISTS')) refused ??= error;
        throw error;
      }
    });
  }
}

async function copyVersion(
  context: CopyContext,
  listed: ListedPublished,
  there: ListedPublished | undefined,
  refused: StowageError | undefined,
): Promise<'copied' | 'present' | 'nothing'> {
  const { source, target, report, dryRun, options } = context;
  const object = publishedRecordName(listed);
  const found = await source.storage.get(object, { ...options, maxBytes: MAX_PUBLISHED_BYTES });
  if (!found) return 'nothing'; // a mark without its record, of which a check tells
  const { session } = decodePublished(found.body, source.storage.uri(object), listed);
  context.keptSessions.add(session);
  if (refused) throw behindRefused(listed, refused);
  if (there?.recorded) {
    if (!(await holdsBytes(target.storage, object, found.body, options.signal))) throw otherVersion(listed);
    if (listed.withdrawn && !there.withdrawn) report.outlived += 1;
    return 'present';
  }
  const state = listed.withdrawn ? 'released' : await copyKept(context, session);
  if (state === 'missing') throw sessionMissing(source.storage, listed, session);
  if (dryRun) return 'copied';
  const durable = { ...options, durability: 'barrier' } as const;
  // The mark before the record: of what was withdrawn, or released by itself, the target has no session.
  if (state === 'released')
    await target.storage.create(withdrawnMarkName(listed), new Uint8Array(0), durable);
  if (await target.storage.create(object, found.body, durable)) return 'copied';
  if (await holdsBytes(target.storage, object, found.body, options.signal)) return 'present';
  const refusal = otherVersion(listed);
  // Somebody published that number meanwhile: nothing will ever lead to the copied session.
  if (state !== 'released') await giveUpCopy(target.storage, session, refusal, options);
  throw refusal;
}

/** Gives up a session that a copy made; one that was made there is somebody else's. */
async function giveUpCopy(
  storage: DataStoreStorage,
  session: SessionId,
  why: StowageError,
  options: CallOptions,
): Promise<void> {
  const { base, subject } = standaloneFiles(session);
  const name = base + SESSION_FILES.done;
  const done = await readSessionFile(storage, name, options);
  if (done && decodeDone(done, storage.uri(name), subject).origin) await giveUpSession(storage, session, why);
}

async function versionsOf(
  storage: DataStoreStorage,
  name: string,
  options: CallOptions,
): Promise<ListedPublished[]> {
  const versions: ListedPublished[] = [];
  for await (const listed of listVersions(storage, { ...options, name })) versions.push(listed);
  return versions;
}

function sessionMissing(
  storage: DataStoreStorage,
  { name, version }: ListedPublished,
  session: SessionId,
): StowageError {
  const what = storage.uri(standaloneFiles(session).base + SESSION_FILES.done);
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is missing, with the other records of the session that version ${version} of ${name} points at. Restore them from a copy of the store.`,
    { details: { what, name, version } },
  );
}

function otherVersion({ name, version }: ListedPublished): StowageError {
  return new StowageError(
    'PUBLISHED_EXISTS',
    `Version ${version} of ${name} is another one in the target, and the target keeps what it holds; later versions of the name are not copied either. Copy into another store to have both.`,
    { details: { name, version } },
  );
}

function behindRefused({ name, version }: ListedPublished, cause: StowageError): StowageError {
  return new StowageError(
    'PUBLISHED_EXISTS',
    `Version ${version} of ${name} is not copied, since version ${cause.details.version} is another one in the target.`,
    { details: { name, version }, cause },
  );
}
