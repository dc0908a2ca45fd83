import { type AttemptView, checkDescribed } from '../attempts/attempt-view.ts';
import { inheritArtifacts } from '../attempts/inherit-artifacts.ts';
import type { Storing } from '../attempts/stored-values.ts';
import type { ContentStore } from '../content/content-store.ts';
import { invalidArgument, isStowageError, StowageError, throwIfAborted } from '../errors.ts';
import {
  checkVersion,
  createPublishedRecord,
  describePublished,
  listVersions,
  type PublishedFacts,
  type PublishedRecord,
} from '../format/published-names.ts';
import { thisOwner } from '../format/session-files.ts';
import type { SessionId } from '../format/session-id.ts';
import { giveUpSession, StandaloneSession } from '../sessions/standalone-session.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { CheckedPublish } from './publish-options.ts';
import { versionExists } from './published-errors.ts';
import type { ReadVersion } from './read-version.ts';

/** A value that is its attempt's own becomes content that is found by its key, at the place where it was. */
const SHARED: Storing = { ownBytes: 0, address: undefined, samePlace: true };
/** Others may publish under the name at the same time so often. */
const MAX_TRIES = 20;

/**
 * Publishes an artifact of a done attempt: a session of its own relies on the content, or copies a value that is the attempt's own, and is
 * closed with the whole row; then the record of the name is created, which points at it. Of two that publish at once the one whose record
 * is there first has the number; the other takes the next one, unless it asked for this one. After any other failure of the storage while the record
 * is created it may be there, or come yet, and the session stays: to publish again may make a second version.
 *
 * @throws StowageError `PUBLISHED_EXISTS` for a number that is taken, `INVALID_ARGUMENT` for one that is not the next; `ATTEMPT_NOT_DONE`,
 * `ARTIFACT_NOT_FOUND`, `CONTENT_PURGED`, `CONTENT_ERASED`, `CONTENT_NOT_FOUND` of the artifact
 */
export async function publish(
  content: ContentStore,
  origin: AttemptView,
  checked: CheckedPublish,
  options: CallOptions,
): Promise<ReadVersion> {
  const { name, artifact, version: asked } = checked;
  if (asked !== undefined) checkVersion(asked);
  checkDone(origin);
  origin.entry(artifact); // which says what there is
  return content.saving(options, async (own) => {
    await content.prepareToWrite(own);
    const version = await nextVersion(content, name, asked, own);
    const kept = await keep(content, origin, checked, own);
    const record = await nameSession(content, checked, version, kept.session, own);
    return { ...kept, ...record };
  });
}

/** The session is closed before anybody can be led to it. */
async function keep(
  content: ContentStore,
  origin: AttemptView,
  { name, artifact, description, attributes }: CheckedPublish,
  options: CallOptions,
): Promise<PublishedFacts & Pick<ReadVersion, 'session' | 'table'>> {
  const { path, attempt } = origin.facts;
  const facts = { artifact, source: { path, attempt }, description, attributes };
  const standalone = await StandaloneSession.open(content, { ...options, label: `publish ${name}` });
  const { session } = standalone;
  try {
    const taken = new Map([[origin, [artifact]]]);
    const rows = await inheritArtifacts(content, taken, session, SHARED, { ...options, looks: true });
    const table = { artifacts: rows.map(({ entry }) => entry) };
    await standalone.doneAs({ table, ...describePublished(facts) }, options);
    return { ...facts, table, session: session.id };
  } catch (error) {
    await standalone.fail(error);
    throw error;
  }
}

/** Creates the record that points at a session, under the first number that is free. */
async function nameSession(
  content: ContentStore,
  { name, version: asked }: CheckedPublish,
  next: number,
  session: SessionId,
  options: CallOptions,
): Promise<PublishedRecord> {
  const { storage } = content;
  let version = next;
  for (let tries = 1; ; tries++) {
    const said = { name, version, session, publishedAt: new Date().toISOString() };
    if (await createRecord(storage, said, options)) return { ...said, owner: thisOwner() };
    try {
      if (tries === MAX_TRIES) throw alwaysTaken(name);
      version = await nextVersion(content, name, asked, options);
    } catch (error) {
      await giveUpSession(storage, session, error);
      throw error;
    }
  }
}

/** Creates the record of a version as {@link createPublishedRecord} does; gives up the session where nothing was written for certain. */
async function createRecord(
  storage: DataStoreStorage,
  said: Omit<PublishedRecord, 'owner'>,
  options: CallOptions,
): Promise<boolean> {
  let isAsked = false;
  try {
    throwIfAborted(options.signal);
    isAsked = true;
    return await createPublishedRecord(storage, said, options);
  } catch (error) {
    // After any other failure, an abort too, the record may be there, or come yet, and point at the session: that stays.
    if (!isAsked || isStowageError(error, 'STORAGE_NOT_PERMITTED'))
      await giveUpSession(storage, said.session, error);
    throw error;
  }
}

/**
 * The number behind the newest, withdrawn ones included: one LIST.
 *
 * @throws StowageError for a number that was asked for, and is another: `PUBLISHED_EXISTS`, `INVALID_ARGUMENT`
 */
async function nextVersion(
  { storage }: ContentStore,
  name: string,
  asked: number | undefined,
  options: CallOptions,
): Promise<number> {
  let newest = 0;
  for await (const listed of listVersions(storage, { ...options, name })) {
    newest = listed.version;
    break;
  }
  const next = newest + 1;
  if (asked === undefined || asked === next) return next;
  if (asked < next) throw versionExists({ name, version: asked }, newest);
  throw invalidArgument(
    `Version ${asked} of ${name} cannot be published: the next one is ${next}, and versions have no gaps. Leave \`version\` out to take the next one.`,
    { name, version: asked, next },
  );
}

function checkDone(origin: AttemptView): void {
  checkDescribed(origin);
  const { status } = origin.facts;
  if (status === 'done') return;
  const { flow, pathspec, fullPathspec } = origin;
  throw new StowageError(
    'ATTEMPT_NOT_DONE',
    `Attempt ${fullPathspec} is ${status}; what is published is of an attempt that is done.`,
    { details: { flow, pathspec, status } },
  );
}

function alwaysTaken(name: string): StowageError {
  return new StowageError(
    'PUBLISHED_EXISTS',
    `Others publish as ${name} all the time, so that each number was taken before this version had it. Publish again.`,
    { details: { name } },
  );
}
