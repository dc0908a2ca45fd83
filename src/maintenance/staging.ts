import type { ContentAddressedStore } from '../content/content-addressed-store.ts';
import type { ContentWriter } from '../content/content-writer.ts';
import { type LooseSession, openLooseSession, releaseLooseSession } from '../content/loose-session.ts';
import { WriterSession } from '../content/session.ts';
import type { CallOptions } from '../storage/contract.ts';

/** After so many contents a session is exchanged for a new one, so that what it pins, and remembers to have pinned, stays bounded. */
const MAX_CONTENTS = 20_000;

interface Stage {
  opened: Promise<{ loose: LooseSession; writer: ContentWriter }>;
  contents: number;
  users: number;
}

/**
 * The sessions under which a copy writes and pins content in its target before anything there refers to it: loose ones, with beats
 * of their own. Attempts of the target are opened only once all of their content is there, so that one which a copy left open is
 * rare; and since they pin what they rely on before a session ends, the content needs it no longer then. A session closes as done,
 * with no content, and released.
 */
export class Staging {
  readonly #content: ContentAddressedStore;
  readonly #options: CallOptions;
  #current: Stage | undefined;
  readonly #open = new Set<Stage>();

  constructor(content: ContentAddressedStore, options: CallOptions) {
    this.#content = content;
    this.#options = options;
  }

  /** Does work that writes so many contents under a session that is open until the work has ended. */
  async use<T>(contents: number, work: (writer: ContentWriter) => Promise<T>): Promise<T> {
    this.#current ??= this.#begin();
    const stage = this.#current;
    stage.users += 1;
    stage.contents += contents;
    if (stage.contents >= MAX_CONTENTS) this.#current = undefined;
    try {
      const { writer } = await stage.opened;
      return await work(writer);
    } finally {
      stage.users -= 1;
      if (stage.users === 0 && this.#current !== stage) await this.#end(stage, undefined);
    }
  }

  /** Closes what is open; nobody uses it any more. Never throws: what a session kept is kept by others, or wanted by nobody. */
  async close(failure?: unknown): Promise<void> {
    this.#current = undefined;
    for (const stage of this.#open) await this.#end(stage, failure);
  }

  #begin(): Stage {
    const { storage } = this.#content;
    const open = async (): Promise<{ loose: LooseSession; writer: ContentWriter }> => {
      const session = new WriterSession(storage);
      const loose = await openLooseSession(storage, session, this.#options);
      return { loose, writer: this.#content.writer(session) };
    };
    const stage = { opened: open(), contents: 0, users: 0 };
    this.#open.add(stage);
    stage.opened.catch(() => {
      this.#open.delete(stage);
      if (this.#current === stage) this.#current = undefined;
    });
    return stage;
  }

  async #end(stage: Stage, failure: unknown): Promise<void> {
    if (!this.#open.delete(stage)) return;
    const { loose } = await stage.opened;
    if (failure !== undefined) return loose.fail(failure);
    try {
      await loose.done([], {});
      await releaseLooseSession(this.#content.storage, loose.session.id, {});
    } catch (error) {
      await loose.fail(error);
    }
  }
}
