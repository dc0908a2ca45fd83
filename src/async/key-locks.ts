/** Lets the writers of one process take turns at a key, so that the second finds the first one's copy. */
export class KeyLocks {
  readonly #tails = new Map<string, Promise<void>>();

  /** Resolves once all who asked for `key` before have released it, to what releases it. */
  async acquire(key: string): Promise<() => void> {
    const before = this.#tails.get(key);
    let end = (): void => {};
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    const tail = before ? before.then(() => held) : held;
    this.#tails.set(key, tail);
    await before;
    return () => {
      end();
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    };
  }

  /** Runs `work` once all earlier work on `key` has ended, well or badly. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const release = await this.acquire(key);
    try {
      return await work();
    } finally {
      release();
    }
  }
}
