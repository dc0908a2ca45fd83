import { checkRawDataPath, type RawDataPathOptions } from '../content/places/raw-data-path.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import type { SessionId } from '../format/session-id.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { Session } from '../sessions/session.ts';
import { StandaloneSession } from '../sessions/standalone-session.ts';
import type { CallOptions } from '../storage/contract.ts';

/** What a save under a session came to, and the contents that the session is to keep. */
export interface Kept<T> {
  result: T;
  contents: readonly StoredContent[];
}

/** Where a save writes, and what ends it. */
export interface Keeping extends CallOptions {
  session: Session;
  place: string;
  /** Passes on what is saved, as long as it may still be kept. */
  guard: (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
}

/** Keeps the contents of files that are about to be referenced. */
export interface FileKeeper {
  readonly store: ContentAddressedStore;
  /**
   * Saves contents under a session that keeps them at least until somebody could have saved a value that refers to them.
   *
   * @throws what `save` throws; then nothing of it is kept
   */
  keep<T>(
    options: CallOptions & RawDataPathOptions,
    save: (keeping: Keeping) => Promise<Kept<T>>,
  ): Promise<{ result: T; session: SessionId | undefined }>;
}

/** Outside a task: each call is a session of its own, which keeps what it saved until it is released. */
export class StandaloneKeeper implements FileKeeper {
  readonly store: ContentAddressedStore;

  constructor(store: ContentAddressedStore) {
    this.store = store;
  }

  async keep<T>(
    { signal, rawDataPath }: CallOptions & RawDataPathOptions,
    save: (keeping: Keeping) => Promise<Kept<T>>,
  ): Promise<{ result: T; session: SessionId }> {
    const { store } = this;
    return store.saving({ signal }, async (own) => {
      await store.prepareToWrite(own);
      const standalone = await StandaloneSession.open(store, own);
      const { session } = standalone;
      try {
        const place = await session.locate(checkRawDataPath(rawDataPath) ?? store.rawDataPath, own);
        const { result, contents } = await save({ session, place, ...own, guard: (pieces) => pieces });
        await standalone.done(contents, own);
        return { result, session: session.id };
      } catch (error) {
        await standalone.fail(error);
        throw error;
      }
    });
  }
}
