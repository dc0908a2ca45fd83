import type { ContentStore } from '../../content/content-store.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import { SESSION_FILES, standaloneFiles } from '../../format/session-files.ts';
import type { Session } from '../../sessions/session.ts';
import { StandaloneSession } from '../../sessions/standalone-session.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { SweepContext } from './erasure-context.ts';

/** The session under which an erasure writes values anew: opened with the first of them, and open until every description that needs them stands. */
export class EraserSession {
  readonly #content: ContentStore;
  readonly #label: string;
  readonly #goOn: string;
  readonly #options: CallOptions;
  #opened: Promise<StandaloneSession> | undefined;

  constructor({ content, label, goOn, options }: SweepContext) {
    this.#content = content;
    this.#label = label;
    this.#goOn = goOn;
    this.#options = options;
  }

  async get(): Promise<Session> {
    this.#opened ??= StandaloneSession.open(this.#content, { ...this.#options, label: this.#label });
    return (await this.#opened).session;
  }

  /**
   * Looks once more whether the session is open, right before a description is to name what was written under it: values that a fenced session wrote are nobody's.
   *
   * @throws StowageError `ATTEMPT_FENCED` where a collector gave up on it
   */
  async ensureOpen(): Promise<void> {
    const { session } = (await this.#opened) ?? {};
    if (!session) return;
    const done = standaloneFiles(session.id).base + SESSION_FILES.done;
    if (!(await this.#content.storage.head(done, this.#options))) return;
    throw this.#fenced(session);
  }

  /**
   * It keeps nothing any more: what it wrote is listed by descriptions. Its own, which is empty, is left to `deleteOwn`.
   *
   * @throws StowageError `ATTEMPT_FENCED` where a collector gave up on it
   */
  async close(deleteOwn: (name: string) => Promise<void>): Promise<void> {
    const standalone = await this.#opened;
    if (!standalone) return;
    const { storage } = this.#content;
    const { base } = standaloneFiles(standalone.session.id);
    try {
      await standalone.done([], this.#options);
    } catch (error) {
      if (!isStowageError(error, 'ATTEMPT_FENCED')) throw error;
      throw this.#fenced(standalone.session, error);
    }
    await storage.create(base + SESSION_FILES.deleted, new Uint8Array(0), this.#options);
    await deleteOwn(base + SESSION_FILES.metadata);
  }

  #fenced({ id }: Session, cause?: Error): StowageError {
    return new StowageError(
      'ATTEMPT_FENCED',
      `A collector gave up on this work, which it had not heard of for a day: nothing more was described anew. ${this.#goOn}.`,
      { details: { session: id }, cause },
    );
  }

  /** Ends it after a failure, as far as that is still possible. */
  async fail(error: unknown): Promise<void> {
    const standalone = await this.#opened?.catch(() => undefined); // what it could not be opened for is what is told
    await standalone?.fail(error);
  }
}

/** The label of all sessions of one erasure. */
export function labelOf(erasure: string): string {
  return `erasure ${erasure}`;
}
