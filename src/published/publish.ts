import type { AttemptView } from '../attempts/attempt-view.ts';
import { checkDescribed, inheritArtifacts } from '../attempts/inherit-artifacts.ts';
import { toMetadata } from '../attempts/metadata-parts.ts';
import type { Storing } from '../attempts/stored-values.ts';
import { jsonText } from '../codec/json-text.ts';
import type { ContentStore } from '../content/content-store.ts';
import { invalidArgument, isStowageError, StowageError, throwIfAborted } from '../errors.ts';
import type { TaskDataStore } from '../flow/task-data-store.ts';
import type { JsonValue } from '../format/json-value.ts';
import {
  createPublishedRecord,
  describePublished,
  listVersions,
  type PublishedFacts,
  type PublishedRecord,
} from '../format/published-names.ts';
import { thisOwner } from '../format/session-files.ts';
import type { SessionId } from '../format/session-id.ts';
import { ANYTHING, checkOptions, type OptionTable, TEXT } from '../options/option-table.ts';
import { giveUpSession, StandaloneSession } from '../sessions/standalone-session.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { versionExists } from './published-errors.ts';
import { checkVersion } from './published-versions.ts';
import type { ReadVersion } from './read-version.ts';

/** What `FlowDataStore.publish` publishes, and what is said of it. */
export interface PublishOptions {
  /** A task that is done: opened by `getTaskDataStore`, of any flow of the store; or its pathspec in this flow. */
  task: TaskDataStore | string;
  /** The name of its artifact. */
  artifact: string;
  /** The number, which must be the next one. Default: the next one, whatever others publish meanwhile. */
  version?: number | undefined;
  /** What it is, for people. Default: none. */
  description?: string | undefined;
  /** What there is to say of it for programs: any JSON; with the description at most 256 KiB. Default: none. */
  attributes?: Readonly<Record<string, JsonValue>> | undefined;
}

/** Those that are `ANYTHING` are checked by what they are used for. */
const OPTIONS: OptionTable<PublishOptions> = {
  task: ANYTHING,
  artifact: ANYTHING,
  version: ANYTHING,
  description: TEXT,
  attributes: ANYTHING,
};

/** What was checked. */
interface Checked {
  name: string;
  artifact: string;
  version: number | undefined;
  description: string | undefined;
  attributes: Record<string, JsonValue>;
}

/** A value that is its attempt's own becomes content that is found by its key, at the place where it was. */
const SHARED: Storing = { ownBytes: 0, address: undefined, samePlace: true };
/** Each list of versions reads what is said of them. */
const MAX_TOLD_BYTES = 256 * 1024;
/** Others may publish under the name at the same time so often. */
const MAX_TRIES = 20;

/** @throws StowageError `INVALID_NAME`, `INVALID_ARGUMENT` */
export function checkPublish(name: string, options: PublishOptions & CallOptions): Checked {
  checkOptions<PublishOptions & CallOptions>(options, 'publish', OPTIONS);
  if (options === undefined)
    throw invalidArgument("publish takes what is published: { task: 'run/step/task', artifact: 'model' }.");
  const { artifact, version, description, attributes = {} } = options;
  validateUserName(name, 'name of a published version');
  validateUserName(artifact, 'name of the artifact');
  if (version !== undefined) checkVersion(version);
  const told = toMetadata(attributes, 'attributes') as Record<string, JsonValue>;
  const bytes = Buffer.byteLength(jsonText([description ?? '', told]));
  if (bytes > MAX_TOLD_BYTES)
    throw invalidArgument(
      `The description and attributes of a published version take ${bytes} bytes, and may take ${MAX_TOLD_BYTES}: each list of versions reads them. Save what is larger as an artifact.`,
      { bytes },
    );
  return { name, artifact, version, description, attributes: told };
}

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
  checked: Checked,
  options: CallOptions,
): Promise<ReadVersion> {
  const { name, artifact, version: asked } = checked;
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
  { name, artifact, description, attributes }: Checked,
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
  { name, version: asked }: Checked,
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
