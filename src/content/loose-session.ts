import { channel } from 'node:diagnostics_channel';
import { isStowageError, StowageError } from '../errors.ts';
import { createOwn } from '../format/create-own.ts';
import { encodeDescription } from '../format/description.ts';
import { recordError } from '../format/recorded-error.ts';
import {
  closeSession,
  encodeAttempt,
  type Outcome,
  SESSION_FILES,
  thisOwner,
} from '../format/session-files.ts';
import type { SessionId } from '../format/session-id.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { Heartbeat } from './heartbeat.ts';
import type { WriterSession } from './session.ts';

const closeFailed = channel('stowage:close-failed');

/** Content that is being saved outside a task: a session with the same records as a task's attempt, under `loose/`. */
export class LooseSession {
  readonly session: WriterSession;
  readonly #storage: DataStoreStorage;
  readonly #startedAt: string;
  readonly #heartbeat: Heartbeat;
  /** The description that the first try to close wrote, or may have written. */
  #described: Uint8Array | undefined;

  constructor(storage: DataStoreStorage, session: WriterSession, startedAt: string) {
    this.#storage = storage;
    this.session = session;
    this.#startedAt = startedAt;
    this.#heartbeat = new Heartbeat(storage, session.id);
  }

  /** Closes the session: from now on it keeps `contents`. */
  async done(contents: readonly StoredContent[], options: CallOptions): Promise<void> {
    await this.#close('done', contents, undefined, options);
    await this.#heartbeat.stop();
  }

  /** Closes the session after a failure, as far as that is still possible: an open session would only keep more for longer. */
  async fail(error: unknown): Promise<void> {
    await this.#heartbeat.stop();
    if (isStowageError(error, 'ATTEMPT_FENCED')) return;
    // The caller gets the error that made the save fail; a second one would only hide it, and is told by the channel.
    const closing = this.#described
      ? this.#giveUp(this.#described, error)
      : this.#close('failed', [], error, {});
    await closing.catch((failure: unknown) => {
      closeFailed.publish({ session: this.session.id, error, failure });
    });
  }

  /** Closing failed when the description, which names contents, may have been written: it is closed as it stands, and released. */
  async #giveUp(described: Uint8Array, error: unknown): Promise<void> {
    const { id } = this.session;
    const done = this.#done('failed', error);
    await closeSession(this.#storage, baseName(id), looseSubject(id), described, done, {});
    await releaseLooseSession(this.#storage, id, {});
  }

  #done(outcome: Outcome, error: unknown): Parameters<typeof closeSession>[4] {
    return {
      outcome,
      session: this.session.id,
      closedAt: new Date().toISOString(),
      ...(error === undefined ? {} : { error: recordError(error) }),
    };
  }

  async #close(
    outcome: Outcome,
    contents: readonly StoredContent[],
    error: unknown,
    options: CallOptions,
  ): Promise<void> {
    const { id } = this.session;
    const artifacts = contents.map((content, index) => {
      const { key, bytes } = content;
      return { name: String(index), type: 'Uint8Array', encoding: 'bytes', key, bytes, content };
    });
    const table = { artifacts, refs: [] };
    const metadata = encodeDescription({
      session: id,
      subject: looseSubject(id),
      startedAt: this.#startedAt,
      table,
      metadata: {},
      readFrom: [],
    });
    this.#described = metadata;
    const other = await closeSession(
      this.#storage,
      baseName(id),
      looseSubject(id),
      metadata,
      this.#done(outcome, error),
      options,
    );
    if (!other) return;
    throw new StowageError(
      'ATTEMPT_FENCED',
      'Saving took so long without a sign of life that a collector gave up on it; save again.',
      { details: { session: id, outcome: other.outcome } },
    );
  }
}

/** Step 1 of the writer's protocol for content outside a task. */
export async function openLooseSession(
  storage: DataStoreStorage,
  session: WriterSession,
  options: CallOptions,
): Promise<LooseSession> {
  const startedAt = new Date().toISOString();
  const attempt = { session: session.id, startedAt, owner: thisOwner(), pins: [] };
  const record = encodeAttempt(attempt, looseSubject(session.id));
  const name = baseName(session.id) + SESSION_FILES.attempt;
  await createOwn(storage, name, record, { ...options, durability: 'deferred' });
  return new LooseSession(storage, session, startedAt);
}

/** Marks a loose session as given up, and then removes its description. */
export async function releaseLooseSession(
  storage: DataStoreStorage,
  session: SessionId,
  options: CallOptions,
): Promise<void> {
  const base = baseName(session);
  if (!(await storage.head(base + SESSION_FILES.done, options))) {
    throw new StowageError(
      'SESSION_NOT_FOUND',
      `No finished session ${session} of saveBlobs or saveData is in the store; pass the session that the save returned.`,
      { details: { session } },
    );
  }
  await storage.create(base + SESSION_FILES.deleted, new Uint8Array(0), options);
  const [failure] = await storage.delete([base + SESSION_FILES.metadata], options);
  if (failure) throw failure.error;
}

/** What the records of a session outside a task are of. */
export function looseSubject(session: SessionId): { loose: true; session: SessionId } {
  return { loose: true, session };
}

function baseName(session: SessionId): string {
  return `loose/${session}`;
}
