import type { ContentStore } from '../content/content-store.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { Session } from './session.ts';
import { releaseSession, StandaloneSession } from './standalone-session.ts';

/** After so many contents a session is exchanged for a new one, so that what it pins, and remembers to have pinned, stays bounded. */
const MAX_CONTENTS = 20_000;

interface Stage {
  opened: Promise<StandaloneSession>;
  contents: number;
  users: number;
}

/**
 * The sessions under which a copy writes and pins content in its target before anything there refers to it: standalone ones, with
 * heartbeats of their own. Attempts of the target are opened only once all of their content is there, so that one which a copy left open is
 * rare; and since they pin what they rely on before a session ends, the content needs it no longer then. A session closes as done,
 * with no content, and released.
 */
export class Staging {
  readonly #store: ContentStore;
  readonly #options: CallOptions;
  #current: Stage | undefined;
  readonly #open = new Set<Stage>();

  constructor(store: ContentStore, options: CallOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Does work that writes so many contents under a session that is open until the work has ended. */
  async use<T>(contents: number, work: (session: Session) => Promise<T>): Promise<T> {
    this.#current ??= this.#begin();
    const stage = this.#current;
    stage.users += 1;
    stage.contents += contents;
    if (stage.contents >= MAX_CONTENTS) this.#current = undefined;
    try {
      return await work((await stage.opened).session);
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
    const opened = StandaloneSession.open(this.#store, this.#options);
    const stage = { opened, contents: 0, users: 0 };
    this.#open.add(stage);
    stage.opened.catch(() => {
      this.#open.delete(stage);
      if (this.#current === stage) this.#current = undefined;
    });
    return stage;
  }

  async #end(stage: Stage, failure: unknown): Promise<void> {
    if (!this.#open.delete(stage)) return;
    const standalone = await stage.opened;
    if (failure !== undefined) return standalone.fail(failure);
    try {
      await standalone.done([], {});
      await releaseSession(this.#store.storage, standalone.session.id, {});
    } catch (error) {
      await standalone.fail(error);
    }
  }
}
