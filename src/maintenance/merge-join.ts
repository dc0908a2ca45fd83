import { compareNames } from '../storage/name-order.ts';

/** Goes along with another listing of the same order. */
export class MergeJoin<T> {
  readonly #items: AsyncIterator<T>;
  readonly #idOf: (item: T) => string;
  #current: IteratorResult<T> | undefined;

  constructor(items: AsyncIterable<T>, idOf: (item: T) => string) {
    this.#items = items[Symbol.asyncIterator]();
    this.#idOf = idOf;
  }

  /** The item of this id, if there is one; ids are asked for in their order. */
  async at(id: string): Promise<T | undefined> {
    this.#current ??= await this.#items.next();
    while (!this.#current.done) {
      const order = compareNames(this.#idOf(this.#current.value), id);
      if (order === 0) return this.#current.value;
      if (order > 0) return undefined;
      this.#current = await this.#items.next();
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.#items.return?.();
  }
}
