import { channel } from 'node:diagnostics_channel';
import type { ContentStore } from '../content/content-store.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { nameTaken } from '../format/create-own.ts';
import {
  type ArtifactTable,
  type Description,
  encodeDescription,
  encodeTable,
  MAX_TABLE_BYTES,
} from '../format/description.ts';
import { recordError } from '../format/recorded-error.ts';
import { erasedRevisionOf, SESSION_FILES, standaloneFiles } from '../format/session-files.ts';
import { newSessionId, type SessionId } from '../format/session-id.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { type OpenSessionOptions, Session } from './session.ts';

const closeFailed = channel('stowage:close-failed');

/** What a session outside a task keeps: its rows, and what is said of them. */
export interface StandaloneDescription extends Pick<Description, 'metadata' | 'readFrom'> {
  table: ArtifactTable;
}

/** Content that is being saved outside a task: a session with the same records as a task's attempt, under `loose/`. */
export class StandaloneSession {
  readonly session: Session;
  readonly #storage: DataStoreStorage;
  /** The description that the first try to close wrote, or may have written. */
  #described: Uint8Array | undefined;

  private constructor(session: Session, storage: DataStoreStorage) {
    this.session = session;
    this.#storage = storage;
  }

  /** @throws StowageError `STORAGE_FAILED` where somebody else's object has the name of its attempt.json */
  static async open(store: ContentStore, options: OpenSessionOptions): Promise<StandaloneSession> {
    const { id = newSessionId() } = options;
    const files = standaloneFiles(id);
    const session = await Session.open(store, files, { ...options, id });
    if (session) return new StandaloneSession(session, store.storage);
    throw nameTaken(store.storage, files.base + SESSION_FILES.attempt);
  }

  /** Closes the session: from now on it keeps `contents`. */
  async done(contents: readonly StoredContent[], options: CallOptions): Promise<void> {
    await this.#close(this.#describe(plainContents(contents)), options);
  }

  /** Closes the session: from now on it keeps what the rows name. A table that is large becomes a content of its own. */
  async doneAs(description: StandaloneDescription, options: CallOptions): Promise<void> {
    let described = this.#describe(description);
    if (described.length > MAX_TABLE_BYTES) {
      const [table] = await this.session.put([{ bytes: encodeTable(description.table) }], options);
      described = this.#describe({ ...description, table: table as StoredContent });
    }
    await this.#close(described, options);
  }

  /** Closes the session after a failure, as far as that is still possible: an open session would only keep more for longer. */
  async fail(error: unknown): Promise<void> {
    await this.session.abandon();
    if (isStowageError(error, 'ATTEMPT_FENCED')) return;
    try {
      await this.#closeAsFailed(error);
    } catch (failure) {
      // The caller gets the error that made the save fail; a second one would only hide it, and is told by the channel.
      closeFailed.publish({ session: this.session.id, error, failure });
    }
  }

  async #closeAsFailed(error: unknown): Promise<void> {
    const described = this.#described;
    const ending = { outcome: 'failed', error: recordError(error), keepsNothing: true } as const;
    const other = await this.session.close(described ?? this.#describe(plainContents([])), ending);
    // Closing failed when the description, which names contents, may have been written: it is closed as it stands, and released.
    if (described) await releaseSession(this.#storage, this.session.id, {});
    else if (other) throw fenced(this.session.id, other.outcome);
  }

  async #close(described: Uint8Array, options: CallOptions): Promise<void> {
    this.#described = described;
    const other = await this.session.close(described, { outcome: 'done' }, options);
    if (other) throw fenced(this.session.id, other.outcome);
  }

  #describe(description: Pick<Description, 'table' | 'metadata' | 'readFrom'>): Uint8Array {
    const { id: session, startedAt } = this.session;
    const { subject } = standaloneFiles(session);
    return encodeDescription({ session, subject, startedAt, ...description });
  }
}

/** The rows of contents that have no other name than their place in the call. */
function plainContents(contents: readonly StoredContent[]): StandaloneDescription {
  const artifacts = contents.map((content, index) => {
    const { key, bytes } = content;
    return { name: String(index), type: 'Uint8Array', encoding: 'bytes', key, bytes, content };
  });
  return { table: { artifacts }, metadata: {}, readFrom: [] };
}

/**
 * Marks a standalone session as given up, and then removes its description, and those that erasures wrote.
 *
 * @throws StowageError `SESSION_NOT_FOUND` where none of that id was closed
 */
export async function releaseSession(
  storage: DataStoreStorage,
  session: SessionId,
  options: CallOptions,
): Promise<void> {
  const { base } = standaloneFiles(session);
  if (!(await storage.head(base + SESSION_FILES.done, options))) {
    throw new StowageError(
      'SESSION_NOT_FOUND',
      `No finished session ${session} of saveBlobs or saveData is in the store; pass the session that the save returned.`,
      { details: { session } },
    );
  }
  await storage.create(base + SESSION_FILES.deleted, new Uint8Array(0), options);
  const described = [base + SESSION_FILES.metadata];
  for await (const { objects } of storage.list({ prefix: `${base}.`, signal: options.signal }))
    for (const { name } of objects)
      if (erasedRevisionOf(name.slice(base.length)) !== undefined) described.push(name);
  const [failure] = await storage.delete(described, options);
  if (failure) throw failure.error;
}

/** Releases a session whose saver goes on with `error`. A failure to is told by the channel `stowage:close-failed`, and would only hide that. */
export async function giveUpSession(
  storage: DataStoreStorage,
  session: SessionId,
  error: unknown,
): Promise<void> {
  try {
    await releaseSession(storage, session, {});
  } catch (failure) {
    closeFailed.publish({ session, error, failure });
  }
}

function fenced(session: SessionId, outcome: string): StowageError {
  return new StowageError(
    'ATTEMPT_FENCED',
    'Saving took so long without a sign of life that a collector gave up on it; save again.',
    { details: { session, outcome } },
  );
}
