/** Something that is open, and those who use it. */
interface Handle<T> {
  opened: Promise<T>;
  users: number;
  isRetired: boolean;
  /** Resolves what {@link KeptOpen.close} waits for. */
  closed: Promise<void> | undefined;
}

/** Opens something once for many users at once, and anew for the next one after it turned out to be of no use any more. */
export class KeptOpen<T extends { close(): Promise<void> }> {
  readonly #open: () => Promise<T>;
  readonly #isLost: (error: unknown) => boolean;
  readonly #handles = new Set<Handle<T>>();
  #current: Handle<T> | undefined;
  #onUnused: (() => void) | undefined;

  /** @param isLost tells by the error of a use that what is open is of no use any more */
  constructor(open: () => Promise<T>, isLost: (error: unknown) => boolean) {
    this.#open = open;
    this.#isLost = isLost;
  }

  /** Runs `work` with what is open; opens it first where it is not. Throws what either throws. */
  async use<R>(work: (opened: T) => Promise<R>): Promise<R> {
    const handle = this.#take();
    try {
      const opened = await handle.opened.catch((error: unknown) => {
        this.#retire(handle); // the next one tries again
        throw error;
      });
      return await work(opened);
    } catch (error) {
      if (this.#isLost(error)) this.#retire(handle);
      throw error;
    } finally {
      handle.users -= 1;
      await this.#closeIfUnused(handle);
    }
  }

  /** Has the next user open it anew. Those who use it go on. */
  retire(): void {
    const handle = this.#current;
    if (!handle) return;
    this.#retire(handle);
    void this.#closeIfUnused(handle).catch(() => {}); // nobody needs what was lost
  }

  /** Closes it once nobody uses it any more. */
  async close(): Promise<void> {
    const handle = this.#current;
    if (handle) this.#retire(handle);
    const unused = new Promise<void>((resolve) => {
      this.#onUnused = resolve;
    });
    if (handle) await this.#closeIfUnused(handle);
    if (this.#handles.size > 0) await unused;
  }

  #take(): Handle<T> {
    const handle = this.#current ?? { opened: this.#open(), users: 0, isRetired: false, closed: undefined };
    this.#current = handle;
    this.#handles.add(handle);
    handle.users += 1;
    return handle;
  }

  #retire(handle: Handle<T>): void {
    handle.isRetired = true;
    if (this.#current === handle) this.#current = undefined;
  }

  async #closeIfUnused(handle: Handle<T>): Promise<void> {
    if (!handle.isRetired || handle.users > 0) return;
    handle.closed ??= handle.opened.then(
      (opened) => opened.close(),
      () => {}, // never opened
    );
    try {
      await handle.closed;
    } finally {
      this.#handles.delete(handle);
      if (this.#handles.size === 0) this.#onUnused?.();
    }
  }
}
